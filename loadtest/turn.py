"""How long the room's turn takes with one message and very many readers, by the server's own clock.

`python -m loadtest turn` prints a Markdown table: `chatroom_turn_seconds` beside the time of the
same turn in C, on one thread, with a `send` for each reader; without a sender thread and with one.
The readers are drained between the turns only and the servers are not pinned: what is seen is the
side that sends, with all cores free for it. The lower quartile counts, as what else is at work on
the machine only adds.
"""

from __future__ import annotations

import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Protocol

from chatroom.server.fanout.senders import LEAST_AUDIENCE
from loadtest.memory import FORMATS, Crowd, Format, take_descriptors
from loadtest.peers import HOST
from loadtest.reference import build
from loadtest.rows import Row
from loadtest.serving import serving
from loadtest.started import started

#: A process may have 20,000 descriptors on many a machine, and two crowds are at hand at a time.
READERS = (100, 300, 1_000, 5_000, 9_500)

#: Of the time of C on one thread: on one thread too, and with one more where it helps.
ALONE, SHARED = 1.25, 0.65

#: Messages between two looks at the server's figures, which leave its caches cold.
_A_LOOK = 5

_MESSAGE = b"x" * 100 + b"\n"

#: Who is in the room at once, and hears nothing of it.
_BARE = Format("bare", lambda _: b"", b"")


class Turns(Protocol):
    """A server with its readers."""

    def turn_seconds(self) -> float:
        """How long the turn of a message takes: the mean of a few."""


class Room:
    """This project's server, its readers, and one who talks."""

    def __init__(self, stack: ExitStack, readers: int, threads: int) -> None:
        options = ("--max-clients", f"{readers + 2}", "--send-threads", f"{threads}")
        server = stack.enter_context(serving((), *options))
        self._port = server.port
        self._readers = Crowd(server.port, FORMATS[0], stack)
        self._readers.grow(readers)
        self._talker = stack.enter_context(socket.create_connection((HOST, server.port)))
        self._talker.sendall(b"/nick talker\n/ping\n")
        self._settle()
        self._say()  # from here on it is known as one who talks

    def _settle(self) -> None:
        said = b""
        while b"-- pong\n" not in said:
            said += self._talker.recv(65_536)

    def _say(self) -> None:
        """A message; the readers are drained when its turn is over."""
        self._talker.sendall(_MESSAGE + b"/ping\n")
        self._settle()
        self._readers.drain()

    def turn_seconds(self) -> float:
        """See `Turns`."""
        before = self._seconds()
        for _ in range(_A_LOOK):
            self._say()
        return (self._seconds() - before) / _A_LOOK

    def _seconds(self) -> float:
        """Of all turns so far."""
        with urllib.request.urlopen(f"http://{HOST}:{self._port}/metrics") as answer:
            text: str = answer.read().decode()
        return float(text.partition("\nchatroom_turn_seconds_sum ")[2].split()[0])


class Reference:
    """The same in C: reads what has come, and sends all of it to each reader with one call."""

    def __init__(self, stack: ExitStack, readers: int) -> None:
        self._program = stack.enter_context(
            started([str(build("null_server.c")), HOST, "0", "turns"])
        )
        port = int(self._program.wait_for("listening on").split()[-1])
        self._readers = Crowd(port, _BARE, stack)
        self._readers.grow(readers)
        self._talker = stack.enter_context(socket.create_connection((HOST, port)))
        self._turns = 0

    def turn_seconds(self) -> float:
        """See `Turns`."""
        return sum(self._say() for _ in range(_A_LOOK)) / _A_LOOK

    def _say(self) -> float:
        self._turns += 1
        self._talker.sendall(_MESSAGE)
        said = re.fullmatch(r"turn \d+: (.*) us\n", self._program.wait_for(f"turn {self._turns}:"))
        assert said is not None
        self._readers.drain()
        return float(said[1]) / 1e6


def measure(repeat: int, seconds: float) -> Iterator[Row]:
    """Two rows for each size of the audience, each after `repeat` times `seconds`."""
    take_descriptors()
    for readers in READERS:
        for threads in (0, 1):
            with ExitStack() as stack:
                room = Room(stack, readers, threads)
                turn, in_c = _quartiles(room, Reference(stack, readers), seconds * repeat)
            yield _row(readers, threads, turn, in_c)


def _quartiles(room: Turns, reference: Turns, seconds: float) -> tuple[float, float]:
    """The lower quartile of each one's turns, which alternate."""
    ours: list[float] = []
    theirs: list[float] = []
    until = time.monotonic() + seconds
    while not ours or time.monotonic() < until:
        ours.append(room.turn_seconds())
        theirs.append(reference.turn_seconds())
    return sorted(ours)[len(ours) // 4], sorted(theirs)[len(theirs) // 4]


def _row(readers: int, threads: int, turn: float, in_c: float) -> Row:
    name = f"{readers:,} readers, {'a sender thread' if threads else 'one thread'}"
    figure = f"{turn * 1e3:.2f} ms, in C {in_c * 1e3:.2f} ms: {turn / in_c:.2f} of it"
    if threads and readers < LEAST_AUDIENCE:
        return Row(name, figure, "does not help so few", True)
    most = SHARED if threads else ALONE
    return Row(name, figure, f"≤ {most} of it", turn <= most * in_c)
