"""How long the room's turn takes with one message and very many readers, by the server's own clock.

`python -m loadtest turn` prints a Markdown table: `chatroom_turn_seconds` beside the time of the
sends alone, to as many connections in a bare loop; and with sender threads beside without. The
readers are drained between the turns only and the server is not pinned: what is seen is the side
that sends, with all cores free for it. The lower quartile counts, as what else is at work on the
machine only adds.
"""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from chatroom.server.senders import LEAST_AUDIENCE
from loadtest.memory import FORMATS, Crowd, take_descriptors
from loadtest.rows import Row
from loadtest.serving import serving
from loadtest.sharing import Send, audience, send_all

READERS = (100, 300, 1_000, 5_000)

#: What everything but the sends may add to them.
MOST_TIMES = 1.25

#: Of one thread's time: what a further one is to reach, where there is a core for it.
SHARE = 0.85

#: Messages between two looks at the server's figures, which leave its caches cold.
_A_LOOK = 5


class Room:
    """A server, its readers, and one who talks."""

    def __init__(self, stack: ExitStack, readers: int, threads: int = 0) -> None:
        options = ("--max-clients", f"{readers + 2}", "--send-threads", f"{threads}")
        server = stack.enter_context(serving((), *options))
        self._port = server.port
        self._readers = Crowd(server.port, FORMATS[0], stack)
        self._readers.grow(readers)
        self._talker = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        self._talker.sendall(b"/nick talker\n/ping\n")
        self._settle()
        self._say()  # from here on it is known as one who talks

    def _settle(self) -> None:
        said = b""
        while b"-- pong\n" not in said:
            said += self._talker.recv(65_536)

    def _say(self) -> None:
        """A message; the readers are drained when its turn is over."""
        self._talker.sendall(b"x" * 100 + b"\n/ping\n")
        self._settle()
        self._readers.drain()

    def turn_seconds(self) -> float:
        """How long the turn of a message takes: the mean of a few."""
        before = self._seconds()
        for _ in range(_A_LOOK):
            self._say()
        return (self._seconds() - before) / _A_LOOK

    def _seconds(self) -> float:
        """Of all turns so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics") as answer:
            text: str = answer.read().decode()
        return float(text.partition("\nchatroom_turn_seconds_sum ")[2].split()[0])


def measure(repeat: int, seconds: float) -> Iterator[Row]:
    """Two rows for each size of the audience, each after `repeat` times `seconds`."""
    take_descriptors()
    for readers in READERS:
        with ExitStack() as stack:
            room = Room(stack, readers)
            with audience(readers) as (sends, drain):
                yield _compare(room, sends, drain, seconds * repeat)
            yield _share(room, Room(stack, readers, threads=1), readers, seconds * repeat)


def _compare(room: Room, sends: Sequence[Send], drain: Callable[[], None], seconds: float) -> Row:
    turns: list[float] = []
    bare: list[float] = []
    until = time.monotonic() + seconds
    while not turns or time.monotonic() < until:
        turns.append(room.turn_seconds())
        for _ in range(_A_LOOK):
            begun = time.perf_counter()
            send_all(sends)
            bare.append(time.perf_counter() - begun)
            drain()
    turn, alone = _lower_quartile(turns), _lower_quartile(bare)
    figure = f"{turn * 1e3:.2f} ms, the sends alone {alone * 1e3:.2f} ms: {turn / alone:.2f} of it"
    bar = f"≤ {MOST_TIMES} of it"
    return Row(f"{len(sends):,} readers", figure, bar, turn <= MOST_TIMES * alone)


def _share(alone: Room, shared: Room, readers: int, seconds: float) -> Row:
    one: list[float] = []
    two: list[float] = []
    until = time.monotonic() + seconds
    while not two or time.monotonic() < until:
        one.append(alone.turn_seconds())
        two.append(shared.turn_seconds())
    turn, helped = _lower_quartile(one), _lower_quartile(two)
    figure = f"{helped * 1e3:.2f} ms, without {turn * 1e3:.2f} ms: {helped / turn:.2f} of it"
    bar = f"≤ {SHARE} of it" if readers >= LEAST_AUDIENCE else "does not help so few"
    reached = helped <= SHARE * turn or readers < LEAST_AUDIENCE
    return Row(f"{readers:,} readers, a sender thread", figure, bar, reached)


def _lower_quartile(values: list[float]) -> float:
    return sorted(values)[len(values) // 4]
