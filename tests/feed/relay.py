"""A lossy relay on loopback: the group of a room on one side, that of listeners on the other."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import trio

from chatroom.feed.group import Group, open_answering, open_listening, open_sending

#: Decides a datagram's fate: how many times it is passed on.
Fate = Callable[[bytes], int]


class Relay:
    """Passes datagrams of `source` on to `target`, and requests the other way; `fate` decides.

    Requests are taken at the port after the target group's, where its listeners send them.
    """

    def __init__(self, source: Group, source_request_port: int, target: Group, fate: Fate) -> None:
        self.fate = fate
        self._request_address = (source.interface, source_request_port)
        self._in = open_listening(source)
        self.target = target
        self._out = open_sending(target, ttl=1)
        self._requests = open_answering(self._out, target.port + 1)

    async def run(self) -> None:
        """Relay until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._relay_group)
                nursery.start_soon(self._relay_requests, nursery)
        finally:
            for sock in (self._in, self._out, self._requests):
                sock.close()

    async def _relay_group(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._in)
            datagram = self._in.recv(65536)
            for _ in range(self.fate(datagram)):
                self._out.send(datagram)

    async def _relay_requests(self, nursery: trio.Nursery) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._requests)
            request, listener = self._requests.recvfrom(64)
            if self.fate(request):
                nursery.start_soon(self._ask, request, listener)

    async def _ask(self, request: bytes, listener: tuple[str, int]) -> None:
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
            await sock.sendto(request, self._request_address)
            with trio.move_on_after(1):
                answer = await sock.recv(65536)
                if self.fate(answer):
                    self._requests.sendto(answer, listener)


def lossy(random: Random, loss: float, duplication: float = 0.0) -> Fate:
    """Each datagram by chance."""

    def fate(_: bytes) -> int:
        if random.random() < loss:
            return 0
        return 2 if random.random() < duplication else 1

    return fate
