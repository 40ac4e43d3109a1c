"""What the room remembers: the interface that the server knows, and the newest events in memory."""

from __future__ import annotations

import secrets
import string
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Protocol

import msgspec

from chatroom.event import Event

SESSION_ALPHABET = string.ascii_uppercase + string.digits


def new_session() -> str:
    """A name for one unbroken log of events: ten characters A-Z 0-9 (MoldUDP64's session field)."""
    return "".join(secrets.choice(SESSION_ALPHABET) for _ in range(10))


class Page(msgspec.Struct, frozen=True):
    """A stretch of history, oldest first."""

    events: Sequence[Event]
    more: bool  #: there are more in the direction that was asked for


class Recent:
    """The newest `keep` events, in memory, contiguous. Everything here is synchronous."""

    def __init__(self, keep: int, last_seq: int = 0) -> None:
        self._events: deque[Event] = deque(maxlen=keep)
        self.last_seq = last_seq

    def __len__(self) -> int:
        return len(self._events)

    def extend(self, events: Sequence[Event]) -> None:
        """Add a batch; its numbers follow the last one."""
        self._events.extend(events)
        if events:
            self.last_seq = events[-1].seq

    @property
    def first_seq(self) -> int:
        """The oldest number kept; with nothing kept, the one that will come next."""
        return self.last_seq - len(self._events) + 1

    def after(self, seq: int, limit: int) -> Page:
        """The first `limit` events with a number above `seq` that are kept."""
        start = max(0, seq + 1 - self.first_seq)
        events = list(islice(self._events, start, start + limit))
        return Page(events, more=start + len(events) < len(self._events))

    def before(self, seq: int, limit: int) -> Page:
        """The last `limit` events with a number below `seq` that are kept."""
        stop = max(0, min(len(self._events), seq - self.first_seq))
        start = max(0, stop - limit)
        return Page(list(islice(self._events, start, stop)), more=start > 0)


class Journal(Protocol):
    """Where events go to be remembered, behind the room.

    The broadcaster appends; it never waits. Readers of history wait in their own tasks.
    """

    durable: bool  #: there is a disk to wait for; if not, the room's having an event is its ack
    session: str  #: names this unbroken log; see the protocol
    recent: Recent  #: the newest events: a window that the broadcaster reads without waiting

    def append(self, events: Sequence[Event], stored: Callable[[bool], None] | None) -> None:
        """Take a batch, in order. Never blocks.

        `stored(True)` is called, in Trio's thread, once the batch is as durable as the journal
        makes it: before `append` returns if that is memory only, after the disk has it otherwise.
        `stored(False)`: the batch could not be kept.
        """

    async def after(self, seq: int, limit: int) -> Page:
        """The first `limit` events above `seq`; may wait for the disk."""

    async def before(self, seq: int, limit: int) -> Page:
        """The last `limit` events below `seq`; may wait for the disk."""

    async def aclose(self) -> None:
        """Write out what waits, and let go of the file. Blocks until then."""
