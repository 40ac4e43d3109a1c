"""What the room remembers: the interface that the server knows, and the newest events in memory."""

from __future__ import annotations

import secrets
import string
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Protocol

import msgspec

from chatroom.event import Event, Gap, without_text
from chatroom.journal.statistics import JournalStatistics

SESSION_ALPHABET = string.ascii_uppercase + string.digits


def new_session() -> str:
    """A name for one unbroken log of events: ten characters A-Z 0-9 (MoldUDP64's session field)."""
    return "".join(secrets.choice(SESSION_ALPHABET) for _ in range(10))


class HistoryUnavailableError(Exception):
    """The disk did not give the history that was asked for; what is in memory is there still."""


class Page(msgspec.Struct, frozen=True):
    """A stretch of history, oldest first.

    Every number from the one asked for (exclusive) to the last of the page is an event or in a gap;
    read backwards, every number from the first of the page to the one asked for.
    """

    events: Sequence[Event | Gap]
    more: bool  #: there are more in the direction that was asked for


class Recent:
    """The newest `keep` events, in memory, contiguous. Everything here is synchronous."""

    def __init__(self, keep: int, last_seq: int = 0) -> None:
        self._events: deque[Event] = deque(maxlen=keep)
        self.last_seq = last_seq

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def extend(self, events: Sequence[Event]) -> None:
        """Add a batch; its numbers follow the last one."""
        try:
            self._events.extend(events)
        except MemoryError:
            self._events.clear()  # some are in it, and nobody can say how many
        if events:
            self.last_seq = events[-1].seq

    def redact(self, seq: int) -> None:
        """Forget what one event said, if it is kept."""
        place = seq - self.first_seq
        if 0 <= place < len(self._events):
            self._events[place] = without_text(self._events[place])

    def skip_to(self, seq: int) -> None:
        """The next event is the one after `seq`; what is kept so far does not lead up to it."""
        if seq != self.last_seq:
            self._events.clear()
            self.last_seq = seq

    @property
    def first_seq(self) -> int:
        """The oldest number kept; with nothing kept, the one that will come next."""
        return self.last_seq - len(self._events) + 1

    def after(self, seq: int, limit: int) -> list[Event]:
        """The first `limit` events with a number above `seq` that are kept."""
        start = max(0, min(len(self._events), seq + 1 - self.first_seq))
        return list(islice(self._events, start, start + limit))

    def before(self, seq: int, limit: int) -> list[Event]:
        """The last `limit` events with a number below `seq` that are kept."""
        stop = max(0, min(len(self._events), seq - self.first_seq))
        return list(islice(self._events, max(0, stop - limit), stop))


class Journal(Protocol):
    """Where events go to be remembered, behind the room.

    The broadcaster appends; it never waits. Readers of history wait in their own tasks.
    """

    durable: bool  #: there is a disk to wait for; if not, the room's having an event is its ack
    session: str  #: names this unbroken log; see the protocol
    recent: Recent  #: the newest events: a window that the broadcaster reads without waiting
    refused_events: int  #: said since the start, and not stored

    def give_out(self, seq: int) -> None:
        """Numbers up to `seq` may be told to anybody from now on: none of them is given out again,
        also if the process is killed at once. Never blocks, never raises; in one thread.
        """

    def append(
        self,
        events: Sequence[Event],
        blocks: Sequence[bytes],
        stored: Callable[[bool], None] | None,
    ) -> None:
        """Take a batch, in order; not if it raises `MemoryError`. Never blocks. `blocks` are the
        JSON of the events; where the journal is not durable they may be empty.

        `stored(True)` is called, in Trio's thread, once the batch is as durable as the journal
        makes it: before `append` returns if that is memory only, after the disk has it otherwise.
        `stored(False)`, which may also come before `append` returns: it can't be said that the
        batch is kept. Exactly one of the two comes, but for a batch that waits when Trio ends.
        """

    def skip_to(self, seq: int, session: str) -> None:
        """The next event is the one after `seq`, which is not below the last one, and is of
        `session`: what is between them is a gap. Never blocks. Before anything is appended, or in a
        room that is on several servers, whose log has begun a new session.
        """

    def knows(self, session: str) -> bool:
        """Whether numbers of that session mean the same events here: it is the present one, or an
        earlier one of the same history, whose numbers are not used again."""

    @property
    def session_from(self) -> int:
        """The first number of the present session."""
        ...

    def session_of(self, seq: int) -> str:
        """The session in which that number was given out. Never blocks."""

    def missing_after(self, seq: int) -> int:
        """How many of the numbers above `seq` that were given out have no event any more."""

    def statistics(self) -> JournalStatistics:
        """What has become of what was said since the start. Never blocks; from any thread."""

    def redact(self, seq: int) -> None:
        """Give the event out without its text from now on, and take the text from the disk soon.
        Never blocks; a number that has no event is passed over.
        """

    async def after(self, seq: int, limit: int) -> Page:
        """The first `limit` events above `seq`, and the gaps among them; may wait for the disk.

        Raises `HistoryUnavailableError` when the disk fails. Cancelled: nothing has changed.
        """

    async def before(self, seq: int, limit: int) -> Page:
        """The last `limit` events below `seq`, and the gaps among them; may wait for the disk.

        Raises `HistoryUnavailableError` when the disk fails. Cancelled: nothing has changed.
        """

    def before_nowait(self, seq: int, limit: int) -> Page | None:
        """As `before`, where all of it is in memory; else None."""

    async def search(self, text: str, before: int, limit: int) -> Page:
        """The last `limit` events below `before` with all words of `text`; a word may end in `*`
        (see `chatroom.journal.search`). Without a word in it, none. No gaps are among them.

        Raises `HistoryUnavailableError` when the disk fails or it takes too long, nothing else
        whatever the text. Cancelled: nothing has changed.
        """

    async def aclose(self) -> None:
        """Write out what waits, and let go of the file. Blocks until then.

        Cancelled: what was not written yet is lost, as in a crash.
        """
