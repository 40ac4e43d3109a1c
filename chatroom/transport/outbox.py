"""The contract of a connection's outgoing bytes, and when somebody has fallen too far behind."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

import trio

from chatroom.settings import (
    DRAINED_BYTES,
    EASE_SECONDS,
    MOST_LIMITS,
    STALL_SECONDS,
    ServerSettings,
)
from chatroom.transport.budget import Budget

#: Where the record ends that an offset is in; see `chatroom.protocol.format.Format.boundary`.
Boundary = Callable[[bytes, int], int]


class Outbox(Protocol):
    """A connection's outgoing bytes. Its contract, in both modes:

    1. `push` never waits and never raises because of the peer.
    2. Bytes leave in the order in which they came; a record is never torn by a second writer.
    3. What it holds is bounded, and leaves within a bounded time (`Bounds`); else its reader is
       reported as slow, everyone else unhurt.
    4. Where there is no memory for what is to be kept, the connection is broken off: its client
       comes back for what it lacks. `send`, `push`, `keep` and `close` raise no `MemoryError`.
    """

    #: What sending to the peer failed with, once it has.
    failure: OSError | None

    @property
    def send(self) -> Callable[[bytes], int]:
        """The straight way out, for the fan-out's loop: the transport's own `send` while nothing is
        kept. Takes whole records and returns how many bytes it took; the caller hands the rest to
        `keep`, and an error other than BlockingIOError to `give_up`.
        """

    @property
    def size_bytes(self) -> int:
        """How much is kept."""

    def push(self, records: bytes) -> None:
        """Send, or keep, whole records that are for this reader alone. In Trio's thread only."""

    def keep(self, records: bytes, sent_bytes: int) -> None:
        """`send` took only `sent_bytes` of the records: the rest leaves later."""

    def give_up(self, failure: OSError | None = None) -> None:
        """The peer takes nothing more: drop what is kept. `failure` is what sending came to; the
        reading side asks for it after it has read what the peer may have said before.
        """

    def break_off(self) -> None:
        """`give_up` where the peer is there still, and would wait: the connection is shut down, so
        that its reader comes to the end of the stream.
        """

    def close(self, last: bytes, boundary: Boundary, *, abrupt: bool) -> None:
        """`last` is the last; pushes after it do nothing. `abrupt`: what waits is dropped, but for
        the record that has begun to leave, because the reader does not take it.
        """

    async def wait_empty(self) -> None:
        """Wait until nothing is kept, or nothing will leave any more."""

    async def wait_drained(self) -> None:
        """Wait until no more than `Bounds.drained_bytes` are kept, or nothing will leave any more:
        who does not read the answers need not ask more.
        """


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a reader may fall behind.

    A reader is slow when what waited for it has not left after `deadline_seconds`, when it has
    taken nothing for `STALL_SECONDS` with more than `limit_bytes` waiting, or when `MOST_LIMITS`
    times as much waits, whatever it takes.
    """

    limit_bytes: int
    deadline_seconds: float

    @classmethod
    def of(cls, settings: ServerSettings) -> Bounds:
        return cls(settings.outbox_limit_bytes, settings.write_deadline_seconds)

    @property
    def drained_bytes(self) -> int:
        """With no more than this waiting, more may be asked."""
        return min(DRAINED_BYTES, self.limit_bytes // 4)

    @property
    def behind_bytes(self) -> int:
        """With more than this waiting, who talks without end is held up."""
        return self.limit_bytes // 4

    def too_much(self, size_bytes: int, stalled_seconds: float) -> str:
        """Why a reader is slow for whom `size_bytes` wait and who has taken nothing for so long;
        empty if it is not.
        """
        if size_bytes <= self.limit_bytes:
            return ""
        if stalled_seconds < STALL_SECONDS and size_bytes <= MOST_LIMITS * self.limit_bytes:
            return ""
        return f"more than {self.limit_bytes} bytes were waiting for you to read them"

    def too_late(self) -> str:
        """Why a reader is slow whose deadline has passed."""
        return f"you did not read for {self.deadline_seconds:g} seconds"


@dataclass(slots=True)
class Shared:
    """What all outboxes of a server have in common."""

    bounds: Bounds
    congestion: Congestion
    budget: Budget
    pushed_bytes: int = 0  #: by `push`, of all; what was sent to a whole audience is not counted


#: Why a connection was broken off. Made beforehand: then there is no memory for it.
NO_MEMORY = OSError(errno.ENOMEM, "the server had no memory for what was to be sent")


def remember(failure: OSError | None) -> OSError | None:
    """`failure`, to be kept: without its traceback, whose frames hold the bytes that did not leave
    for as long as the collector does not come by.
    """
    return None if failure is None else failure.with_traceback(None)


class Progress(Protocol):
    """An outbox, as the congestion sees it."""

    moved_at: float  #: `monotonic` when the peer last took something


class Congestion:
    """Which readers are behind, so that who talks without end waits for them.

    Only for readers that read: one that takes nothing is not waited for, and fills its outbox until
    it is closed.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._behind: set[Progress] = set()
        self._eased = trio.Event()
        self._turn = trio.Lock()

    def __len__(self) -> int:
        return len(self._behind)

    def enter(self, outbox: Progress) -> None:
        """Its reader is behind."""
        self._behind.add(outbox)

    def leave(self, outbox: Progress) -> None:
        """Its reader has caught up, or is gone."""
        self._behind.discard(outbox)
        if not self._behind:
            self._eased.set()

    async def wait_eased(self) -> None:
        """Wait until all readers that read have caught up, `EASE_SECONDS` at most: a talker is held
        up, never stopped, by those who listen. Of several one goes on after the other, as soon as
        what the last one has said lets it: all at once they would say too much. Whose time is up
        goes on whoever was before it. Cancelled: nothing has changed.
        """
        if not self._behind:
            return
        with trio.move_on_after(EASE_SECONDS):
            async with self._turn:
                while self._reading():
                    self._eased = trio.Event()
                    with trio.move_on_after(STALL_SECONDS):
                        await self._eased.wait()

    def _reading(self) -> bool:
        since = self._clock() - STALL_SECONDS
        return any(outbox.moved_at >= since for outbox in self._behind)
