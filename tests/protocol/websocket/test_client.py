"""What a client's WebSocket keeps for a server that means it no good."""

from __future__ import annotations

import pytest
from websockets.http11 import Request
from websockets.server import ServerProtocol

from chatroom.protocol.jsonlines.parse import BadLine
from chatroom.protocol.websocket.client import MOST_DUE_BYTES, SUBPROTOCOL, ClientWebSocket
from chatroom.settings import MAX_FRAGMENTS
from tests.protocol.websocket.framing import CONT, PING, TEXT, unmasked

PINGS = unmasked(PING, b"x" * 125) * 100


@pytest.fixture
def client() -> ClientWebSocket:
    client = ClientWebSocket("ws://127.0.0.1:1/ws")
    server = ServerProtocol(subprotocols=[SUBPROTOCOL])
    server.receive_data(client.outgoing())
    (request,) = server.events_received()
    assert isinstance(request, Request)
    server.send_response(server.accept(request))
    client.feed(b"".join(server.data_to_send()))
    assert client.refusal is None
    return client


def test_pings_are_answered_for_who_takes_the_answers(client: ClientWebSocket) -> None:
    for _ in range(2 * MOST_DUE_BYTES // len(PINGS)):
        assert client.feed(PINGS) == []
        assert len(client.outgoing()) > len(PINGS)


def test_answers_to_pings_do_not_pile_up(client: ClientWebSocket) -> None:
    for _ in range(MOST_DUE_BYTES // (2 * len(PINGS))):
        client.feed(PINGS)
    with pytest.raises(BadLine, match="pings"):
        client.feed(5 * PINGS)


def test_fragments_with_nothing_in_them_do_not_pile_up(client: ClientWebSocket) -> None:
    begun, more = bytes((TEXT, 0)), bytes((CONT, 0))
    assert client.feed(begun + more * (MAX_FRAGMENTS - 1)) == []
    with pytest.raises(BadLine, match="fragments"):
        client.feed(more)
