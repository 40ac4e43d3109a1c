"""Taking newcomers in, by itself."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import pytest
import trio

from chatroom.server.serving import acceptor as acceptor_module
from chatroom.server.serving.acceptor import Acceptor


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


class Exhausted(socket.socket):
    """A listener of a process that has descriptors only now and then."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(fileno=listener.detach())
        self.tries = 0

    def accept(self) -> tuple[socket.socket, Any]:
        self.tries += 1
        if self.tries % 2:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_without_descriptors_one_after_the_other_is_refused() -> None:
    listener, refused = Exhausted(_listener()), list[socket.socket]()
    acceptor = Acceptor(listener, refused.append)
    for count in (1, 2):
        with socket.create_connection(listener.getsockname()):
            assert acceptor._accept_batch(lambda *_: pytest.fail("taken"))
            assert len(refused) == count
            assert acceptor._spare >= 0
    for sock in refused:
        sock.close()
    with trio.CancelScope() as scope:
        scope.cancel()
        await acceptor.run(lambda *_: None)
