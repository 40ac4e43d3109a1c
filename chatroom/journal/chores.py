"""What the writer does when nothing waits: old events out, new ones into the search index."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from chatroom.journal.limits import AGE_CHECK_SECONDS, CHORE_EVENTS
from chatroom.journal.store import Store
from chatroom.settings import JournalSettings

# Both in portions of CHORE_EVENTS, each a transaction, so that a write never waits for long. They
# are not synced by themselves: done again after a power failure, they come to the same.

_INDEX = """
    INSERT INTO search (rowid, text)
    SELECT seq, event ->> 'text' FROM event
    WHERE seq > ?1 AND seq <= ?2 AND event ->> 'text' IS NOT NULL
"""
_UNINDEX = """
    INSERT INTO search (search, rowid, text)
    SELECT 'delete', seq, event ->> 'text' FROM event
    WHERE seq < ?1 AND seq <= ?2 AND event ->> 'text' IS NOT NULL
"""


class AgeClock:
    """The time of day by which events are old: that of the start, and what has passed since.

    A wall clock that jumps ahead while the server runs must not make all of history old at once.
    """

    def __init__(
        self,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._start, self._started_at = wall(), monotonic()

    def ago(self, days: float) -> str:
        """The time so many days ago, as events carry it."""
        passed = timedelta(seconds=self._monotonic() - self._started_at)
        return f"{self._start + passed - timedelta(days=days):%Y-%m-%dT%H:%M:%S.%f}Z"


class Chores:
    """Knows what there is to do; does one portion at a time. In the writer's thread."""

    def __init__(
        self, store: Store, settings: JournalSettings, clock: AgeClock | None = None
    ) -> None:
        self._store = store
        self._keep_events = settings.keep_events
        self._keep_days = settings.keep_days
        self._keep_bytes = settings.keep_bytes
        self._clock = clock or AgeClock()
        self._size_check_at = 0  # when that number is written
        self._age_check_at = 0.0
        self._turns = deque[tuple[Callable[[], bool], Callable[[], None]]](
            (
                (self._too_many, self._trim_by_count),
                (self._not_indexed, self._index),
                (self._age_is_due, self._trim_by_age),
                (self._size_is_due, self._trim_by_size),
                (self._words_are_left, store.merge_words),
            )
        )
        # Where the store begins a new file, it goes on above all numbers of the old one.
        self._indexed_to: int
        (self._indexed_to,) = store.connection.execute("SELECT indexed_to FROM state").fetchone()

    def due_seconds(self) -> float | None:
        """In how many seconds there is something to do; None: not before something is written."""
        if any(is_due() for is_due, _ in self._turns if is_due != self._age_is_due):
            return 0.0
        if self._keep_days is None:
            return None
        return max(0.0, self._age_check_at - time.monotonic())

    def do_one(self) -> None:
        """One portion of one thing that is due, in turn, so that none has to wait for another to
        be done. Blocks; raises what `Store` raises, and then nothing has changed.
        """
        for _ in range(len(self._turns)):
            is_due, do = self._turns[0]
            self._turns.rotate(-1)
            if is_due():
                do()
                return

    def _too_many(self) -> bool:
        return self._store.kept_events > self._keep_events

    def _not_indexed(self) -> bool:
        return self._store.written_to > self._indexed_to

    def _age_is_due(self) -> bool:
        return self._keep_days is not None and time.monotonic() >= self._age_check_at

    def _size_is_due(self) -> bool:
        return self._keep_bytes is not None and self._store.written_to >= self._size_check_at

    def _words_are_left(self) -> bool:
        return self._store.words_left

    def _trim_by_count(self) -> None:
        boundary = self._boundary_by_count()
        if boundary is None:  # fewer than were counted: never trim on a count that is off
            self._store.count_again()
        else:
            self._trim(boundary)

    def _trim_by_age(self) -> None:
        assert self._keep_days is not None
        boundary = self._boundary_by_age(self._clock.ago(self._keep_days))
        if boundary > self._store.first_kept:
            self._trim(boundary)
        else:
            self._age_check_at = time.monotonic() + AGE_CHECK_SECONDS

    def _trim_by_size(self) -> None:
        """A portion, if what is kept is too large; the newest event stays in any case."""
        assert self._keep_bytes is not None
        boundary = None
        if self._store.used_bytes() > self._keep_bytes:
            boundary = self._one(
                "SELECT seq FROM event ORDER BY seq LIMIT 1 OFFSET ?", CHORE_EVENTS
            )
            boundary = boundary or self._one("SELECT max(seq) FROM event")
        if boundary is not None and boundary > self._store.first_kept:
            self._trim(boundary)
        else:
            self._size_check_at = self._store.written_to + CHORE_EVENTS

    def _index(self) -> None:
        # Portions are of numbers, not events, but for a gap, which may be a million long.
        first = self._one("SELECT min(seq) FROM event WHERE seq > ?", self._indexed_to)
        last = self._store.written_to
        if first is not None:
            last = min(last, first + CHORE_EVENTS - 1)
        with self._store.transaction(sync=False):
            self._store.connection.execute(_INDEX, (self._indexed_to, last))
            self._store.connection.execute("UPDATE state SET indexed_to = ?", (last,))
        self._indexed_to = last

    def _boundary_by_count(self) -> int | None:
        """The first number to be kept, a portion further on at the most. At least one event is
        always kept, so there is one; None if there is not.
        """
        excess = min(self._store.kept_events - self._keep_events, CHORE_EVENTS)
        return self._oldest_but(excess)

    def _boundary_by_age(self, oldest: str) -> int:
        """The number of the first event that is not older, a portion further on at the most.

        Times need not be in order: an event younger than that keeps all that follow it.
        """
        young = self._one(
            """SELECT min(seq) FROM (SELECT * FROM event ORDER BY seq LIMIT ?1)
               WHERE event ->> 'time' >= ?2""",
            CHORE_EVENTS,
            oldest,
        )
        return young or self._oldest_but(CHORE_EVENTS) or self._store.written_to + 1

    def _trim(self, first_kept: int) -> None:
        connection = self._store.connection
        with self._store.transaction(sync=False):
            connection.execute(_UNINDEX, (first_kept, self._indexed_to))
            removed = connection.execute("DELETE FROM event WHERE seq < ?", (first_kept,)).rowcount
            connection.execute("DELETE FROM gap WHERE last_seq < ?", (first_kept,))
            connection.execute("UPDATE state SET first_kept = ?", (first_kept,))
        self._store.kept_events -= removed
        self._store.first_kept = first_kept

    def _oldest_but(self, events: int) -> int | None:
        """The number of the oldest event but so many; None if there are no more than these."""
        return self._one("SELECT seq FROM event ORDER BY seq LIMIT 1 OFFSET ?", events)

    def _one(self, query: str, *values: object) -> int | None:
        row = self._store.connection.execute(query, values).fetchone()
        return None if row is None else row[0]
