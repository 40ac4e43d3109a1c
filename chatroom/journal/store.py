"""The journal's file as its writer sees it: numbers reserved, events written, holes recorded."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from chatroom.event import Event
from chatroom.journal import new_session
from chatroom.journal.holding import Holding, Opening, replaced
from chatroom.journal.limits import RESERVE_EVENTS, RESERVE_SECONDS
from chatroom.journal.mark import Mark, forget, left_by, make_mark
from chatroom.journal.ranges import Ranges
from chatroom.journal.redaction import merge_words, redact, words_are_left
from chatroom.journal.rows import last_accounted_for, newest, sessions
from chatroom.journal.seal import FileGoneError
from chatroom.settings import Durability

_INSERT = "INSERT INTO event SELECT ?1 + key, value FROM json_each(CAST(?2 AS TEXT))"


@dataclass(frozen=True)
class Opened:
    """What a room needs to know of the history it goes on from."""

    session: str
    sessions: Mapping[str, int]  #: all that this history holds, with the first number of each
    last_seq: int  #: the next event is the one after it
    first_kept: int  #: what is below was removed for its age or number
    gaps: Ranges
    recent: Sequence[Event]  #: the newest, without a hole, up to `last_seq`


class Store:
    """Owns the file. Not for two threads at the same time.

    Every method blocks for as long as the disk takes, and raises `sqlite3.Error`, `OSError` or
    `FileGoneError` when the file does not do what it should; then nothing of that call was kept.
    """

    def __init__(self, path: Path, durability: Durability) -> None:
        """Open or create the journal at `path`. `begin` must follow.

        Raises `ChatroomError`, and leaves the file as it was, if it is not ours, in use, or of a
        newer version.
        """
        self.path = path
        self.written_to = 0  #: every number up to it has an event or is in a gap, on the disk
        self.first_kept = 1  #: what is below was removed for its age or number
        self.kept_events = 0
        self._surplus = False  # there may be events above `written_to`, of a write that failed
        self._session = ""
        self._mark: Mark | None = None
        self._durability = durability
        self._file = Holding(path)
        with self._file.opened():
            self._take_up()

    def _take_up(self) -> None:
        """The file has been opened."""
        #: `merge_words` has something to do.
        self.words_left = words_are_left(self.connection)
        self._synchronous = "FULL"

    @property
    def connection(self) -> sqlite3.Connection:
        """The one that writes."""
        return self._file.connection

    @property
    def opening(self) -> Opening:
        """Which file it has."""
        return self._file.opening

    @property
    def mode(self) -> int:
        """The rights of the file when it was opened, such as 0o600."""
        return self._file.mode

    def begin(self, recent_events: int, *, following: bool = False) -> Opened:
        """Start giving out numbers: go on with the session, or begin a new one.

        On return the disk says that numbers are being given out, and up to which; whoever gives
        one out says so in `given_out` before. With `following` a log elsewhere gives them out, and
        names the session: what this file does not have is not lost.
        """
        with self._marking(), self.transaction(sync=True):
            clean, last_seq, first_kept, last_run = self.connection.execute(
                "SELECT clean, reserved_to, first_kept, run FROM state"
            ).fetchone()
            self.written_to = last_accounted_for(self.connection, first_kept)
            if following:
                last_seq = self.written_to
            elif not clean:
                marked = left_by(last_run, self.written_to)
                last_seq = last_seq if marked is None else marked
            # After a crash: what was delivered and not written; without a mark, also what was only
            # reserved.
            self._note_gap(last_seq)
            if not following and (not clean or not sessions(self.connection)):
                self.connection.execute(
                    "INSERT INTO session VALUES (?, ?)", (last_seq + 1, new_session())
                )
            elif not sessions(self.connection):
                # By its session a reader knows the file; this one has no number.
                self.connection.execute("INSERT INTO session VALUES (0, ?)", (new_session(),))
            self._reserve(last_seq, RESERVE_EVENTS)
            if not following:
                self._mark = make_mark(last_seq)
            self._note_run()
        forget(last_run)
        self._reserved(last_seq, RESERVE_EVENTS)
        gaps = Ranges()
        for first, last in self.connection.execute("SELECT first_seq, last_seq FROM gap"):
            gaps.add(first, last)
        self.first_kept = first_kept
        self.kept_events = last_seq - first_kept + 1 - gaps.count(first_kept, last_seq)
        known = sessions(self.connection)
        self._session = list(known)[-1]
        recent = newest(self.connection, recent_events, last_seq)
        return Opened(self._session, known, last_seq, first_kept, gaps, recent)

    @property
    def given_out(self) -> MutableSequence[int]:
        """Its one item is the number up to which numbers may have been given out; a store into it
        never waits. For one thread, also after `close`.
        """
        return [0] if self._mark is None else self._mark.given_out

    def add_session(self, session: str, first_seq: int) -> None:
        """Events from that number on are of another session."""
        with self.transaction(sync=True):
            self.connection.execute(
                "INSERT OR REPLACE INTO session VALUES (?, ?)", (first_seq, session)
            )

    def write(self, events: Sequence[Event], blocks: Sequence[bytes]) -> None:
        """Put events there, in order, in one transaction; `blocks` are their JSON. On return they
        are durable.

        Numbers that were left out since the last call are recorded as a gap.
        """
        with self.transaction(sync=self._durability is Durability.POWER):
            if self._surplus:
                self._remove_surplus()
            for start, stop in _runs(events):
                self._note_gap(events[start].seq - 1)
                run = b"[%b]" % b",".join(blocks[start:stop])
                self.connection.execute(_INSERT, (events[start].seq, run))
                self.written_to = events[stop - 1].seq
        self._surplus = False
        self.kept_events += len(events)

    def redact(self, seq: int) -> None:
        """Take the text of an event away, synced, and overwrite it in the file."""
        with self._overwriting(), self.transaction(sync=True):
            redact(self.connection, seq)
        self.words_left = self.words_left or words_are_left(self.connection)

    def merge_words(self) -> None:
        """A portion of what a redaction leaves to be done: its words are in the index still."""
        with self._overwriting(), self.transaction(sync=False):
            done = merge_words(self.connection)
        self.words_left = not done

    @contextmanager
    def _overwriting(self) -> Iterator[None]:
        """What is deleted inside is overwritten."""
        self.connection.execute("PRAGMA secure_delete = ON")
        try:
            yield
        finally:
            self.connection.execute("PRAGMA secure_delete = FAST")

    def reserve_ahead(self) -> None:
        """Reserve more numbers when half of those reserved are used. Synced in any case."""
        used = self.written_to - self._reserved_from
        if used < self._reserved_events // 2:
            return
        pace = used / max(time.monotonic() - self._reserved_at, 0.001)
        events = max(RESERVE_EVENTS, int(pace * RESERVE_SECONDS))
        with self.transaction(sync=True):
            self._reserve(self.written_to, events)
        self._reserved(self.written_to, events)

    def end(self, last_seq: int) -> None:
        """Say that exactly the numbers up to `last_seq` were given out; `close` follows."""
        with self.transaction(sync=True):
            if self._surplus:
                self._remove_surplus()
            self._note_gap(last_seq)
            self.connection.execute("UPDATE state SET clean = 1, reserved_to = ?", (last_seq,))
        if self._mark is not None:
            self._mark.remove()

    def close(self) -> None:
        """Let go of the file and its lock; twice does no harm. Without `end` it looks as after a
        crash.
        """
        if self._mark is not None:
            self._mark.release()
        self._file.close()

    def checkpoint(self) -> None:
        """See `Holding.checkpoint`."""
        self._file.checkpoint(self._session)

    def copy_log(self) -> bool:
        """See `Holding.copy_log`."""
        return self._file.copy_log(self._session)

    def count_again(self) -> None:
        """Set `kept_events` by what is there; takes some ms for a million of them."""
        query = "SELECT count(*) FROM event"
        (self.kept_events,) = self.connection.execute(query).fetchone()

    def used_bytes(self) -> int:
        """How much of the file is in use; what was removed leaves room that is used again."""
        (used,) = self.connection.execute(
            """SELECT (page_count - freelist_count) * page_size
               FROM pragma_page_count, pragma_freelist_count, pragma_page_size"""
        ).fetchone()
        return int(used)

    def is_gone(self) -> bool:
        """Whether what we write is not what the next server would read."""
        try:
            self._file.check(self._session)
        except FileGoneError:
            return True
        return False

    def start_over(self, known: Mapping[str, int], next_seq: int) -> None:
        """After `FileGoneError`: go on in the same file, or in a new one in its place, for the
        `known` sessions; see `Holding.anew`. What the old file held is gone then, as if it had been
        removed for its age.
        """
        with self._file.anew():
            self._take_up()
            self._go_on(known, next_seq)

    def _go_on(self, known: Mapping[str, int], next_seq: int) -> None:
        found = sessions(self.connection)
        if self._session in found:
            return
        if found:
            raise replaced(self.path)
        self._continue(known, next_seq)
        self.written_to, self.first_kept, self.kept_events = next_seq - 1, next_seq, 0
        self._surplus = False
        self._reserved(next_seq - 1, RESERVE_EVENTS)

    def _continue(self, known: Mapping[str, int], next_seq: int) -> None:
        with self.transaction(sync=True):
            self.connection.executemany(
                "INSERT INTO session VALUES (?, ?)",
                [(first_seq, name) for name, first_seq in known.items()],
            )
            self.connection.execute("UPDATE state SET first_kept = ?", (next_seq,))
            self._reserve(next_seq - 1, RESERVE_EVENTS)
            self._note_run()

    def write_nothing(self) -> None:
        """A transaction that changes nothing: raises what a real one would."""
        with self.transaction(sync=True):
            self.connection.execute("UPDATE state SET first_kept = first_kept")

    @contextmanager
    def transaction(self, *, sync: bool) -> Iterator[None]:
        """Everything inside, or nothing; with `sync` it is on the disk when the block is left."""
        synchronous = "FULL" if sync else "NORMAL"
        if synchronous != self._synchronous:
            self.connection.execute(f"PRAGMA synchronous = {synchronous}")
            self._synchronous = synchronous
        written_to = self.written_to
        self._file.check(self._session)
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            self.written_to = written_to
            if self.connection.in_transaction:  # some errors have rolled back already
                self.connection.execute("ROLLBACK")
            with suppress(FileGoneError):
                self._file.check(self._session)  # the log may have been begun anew all the same
            raise
        try:
            self._file.check(self._session)
        except FileGoneError:  # what went into a deleted file is not kept; what if it comes back?
            self.written_to, self._surplus = written_to, True
            raise

    def _remove_surplus(self) -> None:
        self.connection.execute("DELETE FROM event WHERE seq > ?", (self.written_to,))
        self.connection.execute("DELETE FROM gap WHERE first_seq > ?", (self.written_to,))

    def _note_gap(self, last: int) -> None:
        if last > self.written_to:
            self.connection.execute("INSERT INTO gap VALUES (?, ?)", (self.written_to + 1, last))
            self.written_to = last

    def _reserve(self, last_seq: int, events: int) -> None:
        self.connection.execute("UPDATE state SET clean = 0, reserved_to = ?", (last_seq + events,))

    @contextmanager
    def _marking(self) -> Iterator[None]:
        """If what is inside fails, the mark that it made is nobody's."""
        try:
            yield
        except BaseException:
            if self._mark is not None:
                self._mark.remove()
            raise

    def _note_run(self) -> None:
        """Which mark is this file's: with none, none that was left there is believed."""
        run = "" if self._mark is None else self._mark.run
        self.connection.execute("UPDATE state SET run = ?", (run,))

    def _reserved(self, last_seq: int, events: int) -> None:
        self._reserved_from, self._reserved_events = last_seq, events
        self._reserved_at = time.monotonic()


def _runs(events: Sequence[Event]) -> Iterator[tuple[int, int]]:
    """Split at the holes: where runs of events whose numbers follow each other start and stop."""
    start = 0
    if events[-1].seq - events[0].seq + 1 != len(events):
        for at in range(1, len(events)):
            if events[at].seq != events[at - 1].seq + 1:
                yield start, at
                start = at
    yield start, len(events)
