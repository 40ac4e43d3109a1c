"""Those who come, talk, read and go. Each comes back, until it is told to stop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from random import Random
from time import monotonic_ns
from typing import Any, ClassVar

import trio

from chatroom.swarm.wire.payload import Mark
from chatroom.swarm.wire.websocket import WebSocketFault
from loadtest.soak.ears import ears_for
from loadtest.soak.ledger import Ledger
from loadtest.soak.server import Server
from loadtest.soak.wires import Wire, connect, greeting, saying

#: How a connection may end, beside in good order.
ENDINGS = (
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
    WebSocketFault,
)

_BACK_SECONDS = 0.1


class Bot(ABC):
    """One of the crowd.

    Args:
        name: what its nicks begin with.
        number: as a talker.
        format: how it comes in.
        server: where.
        ledger: what it hears is held against.
        random: its own, so that the others' doings don't change its own.
    """

    receive_buffer_bytes: ClassVar[int] = 0
    echoes: ClassVar[bool] = True  #: it wants its own messages back
    resumes: ClassVar[bool] = False  #: it comes back for what it has missed

    def __init__(  # noqa: PLR0913, PLR0917 - what each of them needs
        self, name: str, number: int, format: str, server: Server, ledger: Ledger, random: Random
    ) -> None:
        self.name = name
        self.number = number
        self.format = format
        self.said = 0
        self.is_silent = False  #: it says no more
        self.visits = 0
        self.ears = ears_for(format, name, number, ledger, echoes=self.echoes)
        self._server = server
        self._payload = ledger.payload
        self._random = random

    async def run(self) -> None:
        """Come in again and again."""
        while True:
            try:
                await self._visit()
            except* ENDINGS:
                pass  # in this house connections break
            self.ears.is_in = False
            await trio.sleep(_BACK_SECONDS * (1 + self._random.random()))

    async def _visit(self) -> None:
        wire = await connect(
            self._server.place.port, self.format, receive_buffer_bytes=self.receive_buffer_bytes
        )
        hello: dict[str, Any] = {"echo": self.echoes}
        if self.resumes:
            hello |= self.ears.going_on()
        try:
            self.visits += 1
            await wire.say(greeting(self.format, f"{self.name}-{self.visits}", **hello))
            await self.stay(wire)
        finally:
            with trio.move_on_after(1, shield=True):
                await wire.aclose()

    @abstractmethod
    async def stay(self, wire: Wire) -> None:
        """What is done inside, until the connection ends or enough is done."""

    async def _say(self, wire: Wire, count: int = 1) -> None:
        """Say the next messages, all at once, and want them acked; nothing if it is silent."""
        if self.is_silent:
            return
        lines = []
        for _ in range(count):
            mark = Mark(self.number, self.said, monotonic_ns() // 1000)
            lines.append(saying(self.format, self._payload.write(mark), str(self.said)))
            self.said += 1
        await wire.say(b"".join(lines))


class Reader(Bot):
    """Reads all there is, and comes back anew."""

    async def stay(self, wire: Wire) -> None:
        await self.ears.listen(wire)


class Resumer(Bot):
    """Goes without a word now and then, and comes back for what it has missed."""

    resumes = True

    async def stay(self, wire: Wire) -> None:
        with trio.move_on_after(self._random.uniform(1, 8)):
            await self.ears.listen(wire)
        if self._random.random() < 0.5:
            wire.reset()


class Talker(Bot):
    """Says one thing after the other, and hears the rest."""

    echoes = False
    pause_seconds: ClassVar[float] = 0.04
    burst: ClassVar[int] = 1

    async def stay(self, wire: Wire) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._talk, wire)
            await self.ears.listen(wire)
            nursery.cancel_scope.cancel()

    async def _talk(self, wire: Wire) -> None:
        with suppress(*ENDINGS):
            while True:
                await trio.sleep(self.pause_seconds * (0.5 + self._random.random()))
                if self.ears.is_in:
                    await self._say(wire, self.burst)


class Flooder(Talker):
    """Says a great many things at once."""

    echoes = True
    pause_seconds = 4.0
    burst = 400


class SlowReader(Bot):
    """Reads nothing for long, then what it can; the server may close it, and nobody else."""

    receive_buffer_bytes = 4096

    async def stay(self, wire: Wire) -> None:
        await trio.sleep(self._random.uniform(5, 25))
        with trio.move_on_after(5):
            await self.ears.listen(wire)


class Leaver(Bot):
    """Comes, says a word, and goes: in good order or not. What comes it does not hear."""

    async def stay(self, wire: Wire) -> None:
        await trio.sleep(self._random.uniform(0, 0.5))
        await self._say(wire)
        await trio.sleep(self._random.uniform(0, 0.5))
        if self._random.random() < 0.5:
            wire.reset()
