"""Those who come, talk, read and go. Each comes back, until it is told to stop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from random import Random
from time import monotonic_ns
from typing import Any, ClassVar

import msgspec
import trio

from chatroom.swarm.wire.payload import Mark
from chatroom.swarm.wire.websocket import WebSocketFault
from loadtest.soak.ledger import Ledger
from loadtest.soak.places import NumberedPlace, TextPlace
from loadtest.soak.server import Server
from loadtest.soak.wires import Wire, connect, greeting, heard, is_in, saying

#: How a connection may end, beside in good order.
ENDINGS = (
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
    WebSocketFault,
)

_BACK_SECONDS = 0.1
_decode = msgspec.json.Decoder(dict[str, Any]).decode

#: Those whose numbers nobody else has at the end of a connection have them a moment later.
_CATCHING_UP_SECONDS = 3.0


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
    talks: ClassVar[bool] = False

    def __init__(  # noqa: PLR0913, PLR0917 - what each of them needs
        self, name: str, number: int, format: str, server: Server, ledger: Ledger, random: Random
    ) -> None:
        self.name = name
        self.number = number
        self.format = format
        self.said = 0
        self.visits = 0
        self.is_in = False
        self._server = server
        self._ledger = ledger
        self._random = random

    async def run(self) -> None:
        """Come in again and again."""
        while True:
            try:
                await self._visit()
            except* ENDINGS:
                pass  # in this house connections break
            self.is_in = False
            await trio.sleep(_BACK_SECONDS * (1 + self._random.random()))

    async def _visit(self) -> None:
        wire = await connect(
            self._server.place.port, self.format, receive_buffer_bytes=self.receive_buffer_bytes
        )
        try:
            self.visits += 1
            await wire.say(greeting(self.format, f"{self.name}-{self.visits}", **self.hello()))
            await self.stay(wire)
        finally:
            with trio.move_on_after(1, shield=True):
                await wire.aclose()

    def hello(self) -> dict[str, Any]:
        """What else the hello has."""
        return {}

    @abstractmethod
    async def stay(self, wire: Wire) -> None:
        """What is done inside, until the connection ends or enough is done."""

    async def _say(self, wire: Wire, count: int = 1, *, acked: bool = False) -> None:
        """Say the next messages, all at once."""
        lines = []
        for _ in range(count):
            mark = Mark(self.number, self.said, monotonic_ns() // 1000)
            id = str(self.said) if acked else None
            lines.append(saying(self.format, self._ledger.payload.write(mark), id))
            self.said += 1
        await wire.say(b"".join(lines))


class NumberedBot(Bot):
    """Comes by JSON Lines or a WebSocket: it has numbers, acks and resumes.

    It gets everything; one with `echoes` False lacks what it has said itself.
    """

    echoes: ClassVar[bool] = True
    resumes: ClassVar[bool] = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        own = None if self.echoes else self.number
        self._place = NumberedPlace(self._ledger, self.name, own)

    def judge(self) -> None:
        """Judge what can be judged only when the room has settled."""
        self._place.judge()

    def hello(self) -> dict[str, Any]:
        hello: dict[str, Any] = {"echo": self.echoes}
        if self.resumes and self._place.session:
            hello |= {"session": self._place.session, "after": self._place.last}
        return hello

    async def _listen(self, wire: Wire) -> None:
        while lines := await wire.lines():
            for line in lines:
                if line.startswith(b"{"):
                    self._take(line, _decode(line))

    def _take(self, line: bytes, said: dict[str, Any]) -> None:
        kind = said["kind"]
        if kind == "welcome":
            self.is_in = True
            last = said["after"] if "resumed" in said else said["seq"]
            resumed = "resumed" in said and said["session"] == self._place.session
            if resumed and last != self._place.last:
                self._ledger.faults.add("lost", f"{self.name} resumed elsewhere: {said}")
            self._place.judge()
            self._place.enter(said["session"], last)
        elif kind == "gap":
            self._place.skip(said["from"], said["to"])
        elif kind == "ack":
            self._ledger.ack(said["seq"], self.number, int(said["id"]))
        elif kind == "error" and said["code"] == "not_stored":
            self._ledger.not_stored += 1
        elif "time" in said:
            text = said["text"].encode() if kind == "message" else None
            self._place.take(said["seq"], line, text)


class Reader(NumberedBot):
    """Reads all there is, and comes back anew."""

    async def stay(self, wire: Wire) -> None:
        await self._listen(wire)


class Resumer(NumberedBot):
    """Goes without a word now and then, and comes back for what it has missed."""

    resumes = True

    async def stay(self, wire: Wire) -> None:
        with trio.move_on_after(self._random.uniform(1, 8)):
            await self._listen(wire)
        if self._random.random() < 0.5:
            wire.reset()


class Talker(NumberedBot):
    """Says one thing after the other, wants each acked, and hears the rest."""

    echoes = False
    talks = True
    pause_seconds: ClassVar[float] = 0.04
    burst: ClassVar[int] = 1

    async def stay(self, wire: Wire) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._talk, wire)
            await self._listen(wire)
            nursery.cancel_scope.cancel()

    async def _talk(self, wire: Wire) -> None:
        with suppress(*ENDINGS):
            while True:
                await trio.sleep(self.pause_seconds * (0.5 + self._random.random()))
                if self.is_in:
                    await self._say(wire, self.burst, acked=True)


class Flooder(Talker):
    """Says a great many things at once."""

    echoes = True
    pause_seconds = 4.0
    burst = 400


class TextBot(Bot):
    """Comes by plain text or IRC, where nothing has a number."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._own = self.number if self.talks else None

    async def _listen(self, wire: Wire) -> None:
        place = TextPlace(self._ledger, self.name, self._own)
        try:
            while lines := await wire.lines():
                for line in lines:
                    self.is_in = self.is_in or is_in(self.format, line)
                    if line.startswith(b"PING "):
                        await wire.say(b"PONG " + line[5:] + b"\n")
                    elif text := heard(self.format, line):
                        place.take(text)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(_CATCHING_UP_SECONDS)
            place.judge()


class TextReader(TextBot):
    """Reads all there is."""

    async def stay(self, wire: Wire) -> None:
        await self._listen(wire)


class TextTalker(TextBot):
    """Says one thing after the other, and hears the rest."""

    talks = True

    async def stay(self, wire: Wire) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._talk, wire)
            await self._listen(wire)
            nursery.cancel_scope.cancel()

    async def _talk(self, wire: Wire) -> None:
        with suppress(*ENDINGS):
            while True:
                await trio.sleep(0.05 * (0.5 + self._random.random()))
                if self.is_in:
                    await self._say(wire)


class SlowReader(TextBot):
    """Reads nothing for long, then what it can; the server may close it, and nobody else."""

    receive_buffer_bytes = 4096

    async def stay(self, wire: Wire) -> None:
        self.is_in = True
        await trio.sleep(self._random.uniform(5, 25))
        with trio.move_on_after(5):
            await self._listen(wire)


class Leaver(Bot):
    """Comes, says a word, and goes: in good order or not."""

    talks = True

    async def stay(self, wire: Wire) -> None:
        self.is_in = True
        await trio.sleep(self._random.uniform(0, 0.5))
        await self._say(wire)
        await trio.sleep(self._random.uniform(0, 0.5))
        if self._random.random() < 0.5:
            wire.reset()
