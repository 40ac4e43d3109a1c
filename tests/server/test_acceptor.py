"""Taking newcomers in, by itself."""

from __future__ import annotations

import os
import socket

import pytest
import trio

from chatroom.server import acceptor as acceptor_module
from chatroom.server.acceptor import Acceptor


def _listener() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    return listener


async def test_those_inside_have_their_turn_between_two_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acceptor_module, "ACCEPT_BATCH", 2)
    listener = _listener()
    acceptor = Acceptor(listener, socket.socket.close)
    newcomers = [socket.create_connection(listener.getsockname()) for _ in range(5)]
    batches = []
    for _ in range(3):
        taken: list[socket.socket] = []
        acceptor._accept_batch(lambda sock, *_, taken=taken: taken.append(sock))
        batches.append(len(taken))
        for sock in taken:
            sock.close()
    assert batches == [2, 2, 1]
    for newcomer in newcomers:
        newcomer.close()
    with trio.CancelScope() as scope:
        scope.cancel()
        await acceptor.run(lambda *_: None)


async def test_it_ends_in_good_order_without_its_spare_descriptor() -> None:
    acceptor = Acceptor(_listener(), socket.socket.close)
    os.close(acceptor._spare)
    acceptor._spare = -1
    with trio.CancelScope() as scope:
        scope.cancel()
        await acceptor.run(lambda *_: None)
    assert acceptor._listener.fileno() == -1
