"""The opening handshake: what is answered, and that what follows is the room's."""

from __future__ import annotations

import pytest
from websockets.client import ClientProtocol
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from chatroom.protocol.requests import Hello, Reply, Request, Speaks
from chatroom.protocol.websocket.render import SocketLines
from chatroom.web.contract import WebResponse
from tests.protocol.websocket.framing import says
from tests.web.exchange import Exchange, PaperSite, Response, asks, exchange, read_responses

#: The example of RFC 6455, section 1.3.
_KEY, _ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": _KEY,
    "Sec-WebSocket-Version": "13",
}


def shakes(changes: dict[str, str | None] | None = None, target: str = "/ws") -> bytes:
    """A handshake with some headers changed, or left out."""
    headers = {**HANDSHAKE, **(changes or {})}
    return asks(target, *(f"{name}: {value}" for name, value in headers.items() if value))


def _answer(said: Exchange) -> Response:
    (reply,) = [draft for draft in said.drafts if type(draft) is Reply]
    (response,) = read_responses(reply.data)
    return response


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Upgrade": "WebSocket"},
        {"Connection": "keep-alive, Upgrade"},
        {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"},
        {"Sec-WebSocket-Extensions": "?!"},
        {"Origin": "http://localhost"},
        {"Content-Length": "0"},
    ],
)
def test_a_handshake_is_accepted_without_extensions(changes: dict[str, str | None]) -> None:
    response = _answer(exchange(shakes(changes)))
    assert response.status == 101
    assert response.header("Upgrade") == "websocket"
    assert response.header("Connection") == "Upgrade"
    assert response.header("Sec-WebSocket-Accept") == _ACCEPT
    assert not response.has("Sec-WebSocket-Extensions")
    assert not response.has("Sec-WebSocket-Protocol")
    assert not response.has("Content-Length")


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [("chatroom.v1", True), ("x, chatroom.v1", True), ("chatroom.v2", False), ("x", False)],
)
def test_the_subprotocol_is_echoed_if_it_is_offered(offered: str, chosen: bool) -> None:
    response = _answer(exchange(shakes({"Sec-WebSocket-Protocol": offered})))
    assert response.status == 101
    assert response.has("Sec-WebSocket-Protocol") is chosen
    if chosen:
        assert response.header("Sec-WebSocket-Protocol") == "chatroom.v1"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Sec-WebSocket-Key": None}, 400),
        ({"Sec-WebSocket-Key": "short"}, 400),
        ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25j"}, 400),
        ({"Sec-WebSocket-Version": None}, 400),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Version": "13, 8"}, 426),
        ({"Connection": None}, 426),
        ({"Connection": "keep-alive"}, 426),
        ({"Upgrade": "websocket, h2c"}, 426),
        ({"Sec-WebSocket-Protocol": "(("}, 400),
        ({f"X{number}": "y" for number in range(200)}, 400),
    ],
)
def test_a_handshake_that_is_none_is_refused(changes: dict[str, str | None], status: int) -> None:
    said = exchange(shakes(changes) + asks("/next"))
    refused, after = said.responses
    assert (refused.status, after.body) == (status, b"body of /next")
    assert refused.header("Sec-WebSocket-Version") == "13"
    said.assert_silent()


def test_who_does_not_ask_for_it_gets_no_handshake() -> None:
    for data in (
        shakes({"Upgrade": None}),
        shakes({"Upgrade": "h2c"}),
        shakes({}, "/"),
        shakes({}, "/ws/"),
        shakes({}).replace(b"HTTP/1.1", b"HTTP/1.0"),
        shakes({}).replace(b"GET", b"HEAD"),
    ):
        method = data.split()[0].decode()
        (response,) = read_responses(exchange(data).sent, method)
        assert response.status == 200
    assert exchange(shakes({}).replace(b"GET", b"POST")).response.status == 405
    assert exchange(shakes({"Content-Length": "5"})).response.status == 413


def test_the_site_may_refuse_it() -> None:
    site = PaperSite(WebResponse(403, b"no"))
    said = exchange(shakes() + asks("/next"), site=site)
    assert [response.status for response in said.responses] == [403, 200]
    said.assert_silent()


def test_what_follows_the_handshake_is_the_rooms() -> None:
    data = shakes() + says('{"nick":"bob"}') + says('{"kind":"ping"}')
    for chunks in ([data], [bytes([byte]) for byte in data]):
        said = exchange(*chunks)
        assert _answer(said).status == 101
        speaks = Speaks(SocketLines())
        asked = [draft for draft in said.drafts if type(draft) is not Reply]
        assert asked[1:] == [speaks, speaks, Hello("bob"), Request("ping")]


def test_the_librarys_own_client_is_content() -> None:
    client = ClientProtocol(parse_uri("ws://localhost/ws"))
    client.send_request(client.connect())
    said = exchange(*client.data_to_send())
    (reply,) = [draft for draft in said.drafts if type(draft) is Reply]
    client.receive_data(reply.data)
    assert client.handshake_exc is None
    assert client.state is OPEN
    assert client.extensions == []
