"""The journal on disk, as the server knows it: memory in front, a writer and readers behind."""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path

import msgspec
import trio

from chatroom.errors import ChatroomError
from chatroom.event import Event, without_text
from chatroom.journal import Page, Recent
from chatroom.journal.chores import AgeClock, Chores
from chatroom.journal.limits import (
    BACKLOG_NOTICE_BYTES,
    BACKLOG_NOTICE_SECONDS,
    EVENT_OVERHEAD_BYTES,
    STALL_SECONDS,
)
from chatroom.journal.pages import page_after, page_before, page_of_found
from chatroom.journal.reader import Reader
from chatroom.journal.search import expression
from chatroom.journal.statistics import JournalStatistics
from chatroom.journal.store import Opened, Store
from chatroom.journal.writer import Batch, Writer
from chatroom.settings import JournalSettings

log = logging.getLogger("chatroom.journal")

#: Results that nobody waits for are looked at when they are about so many events: waking Trio's
#: loop for each commit would cost the talk some 60 µs.
UNSEEN_EVENTS = 1024

#: At the end of its block a journal is closed in good order within this, or as after a crash.
CLOSE_SECONDS = 1.0

#: How often somebody looks whether the disk is stuck.
WATCH_SECONDS = 0.5


class JournalLostError(ChatroomError):
    """Nothing more is written, because of a fault of ours: the server is to end."""

    def __init__(self) -> None:
        super().__init__(
            "a fault in the server, perhaps for want of memory, has ended the journal: "
            "start it again"
        )


@asynccontextmanager
async def open_journal(
    settings: JournalSettings, *, following: bool = False, clock: AgeClock | None = None
) -> AsyncIterator[SqliteJournal]:
    """The journal in the file that `settings` name, which is made if there is none. `following`:
    a log elsewhere gives out the numbers and names the session, by `skip_to`.

    At the end of the block it is closed in good order, unless `aclose` did that before or the block
    is cancelled. Raises `ChatroomError`, and leaves the file as it was, if it can't be used.
    """
    store, opened = await trio.to_thread.run_sync(_open, settings, following)
    journal = SqliteJournal(settings, store, opened, clock)
    if following:  # where it goes on is not known before that log is read
        goes_on = "follows a log elsewhere"
    else:
        goes_on = f"session {opened.session} goes on after #{opened.last_seq}"
    log.info("journal %s: %s, %d events kept", settings.path, goes_on, store.kept_events)
    if store.mode & 0o077:
        log.warning(
            "the journal %s has the mode %04o: others on this host may read it; chmod 600 keeps "
            "them out",
            settings.path,
            store.mode,
        )
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.watch)
            yield journal
            with trio.move_on_after(CLOSE_SECONDS, shield=True):
                await journal.aclose()
            nursery.cancel_scope.cancel()
    finally:
        journal.abandon()


def _open(settings: JournalSettings, following: bool) -> tuple[Store, Opened]:
    try:
        store = Store(Path(settings.path), settings.durability)
        try:
            return store, store.begin(settings.recent_events, following=following)
        except BaseException:
            store.close()
            raise
    except (sqlite3.Error, OSError, msgspec.MsgspecError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            reason = "it is a symbolic link"
        raise ChatroomError(
            f"cannot open the journal {settings.path}: {reason}; give --journal another file, "
            "or :memory: to keep no history"
        ) from error


class SqliteJournal:
    """See `chatroom.journal.Journal`, and `open_journal` for how to get one."""

    durable = True

    def __init__(
        self,
        settings: JournalSettings,
        store: Store,
        opened: Opened,
        clock: AgeClock | None = None,
    ) -> None:
        self.session = opened.session
        self.recent = Recent(settings.recent_events, opened.last_seq)
        self.recent.extend(opened.recent)
        self._settings = settings
        self._sessions = dict(opened.sessions)
        self._gaps = opened.gaps
        self._store = store
        self._given_out = store.given_out
        self._reader = Reader(store.path, lambda: store.opening, opened.session)
        self._trio = trio.lowlevel.current_trio_token()
        self._clock = trio.lowlevel.current_clock()
        #: Not known to be written; the writer has them too, but this is changed in Trio's thread.
        self._pending: deque[Batch] = deque()
        self._backlog_bytes = 0
        self._outcomes: deque[tuple[Sequence[Batch], bool]] = deque()
        self._unseen_events = 0  # the writer's thread alone counts them
        self.refused_events = 0
        self._taken_events = self._taken_bytes = 0  # given to the writer since the start
        self._closed = False
        self._redacted: set[int] = set()
        chores = Chores(store, settings, clock)
        self._writer = Writer(store, chores, self._sessions, opened.last_seq, self._report)
        self._writer.start()

    def give_out(self, seq: int) -> None:
        """See `Journal.give_out`."""
        self._given_out[0] = seq

    def append(
        self,
        events: Sequence[Event],
        blocks: Sequence[bytes],
        stored: Callable[[bool], None] | None,
    ) -> None:
        """See `Journal.append`. Refused when too much waits already; `stored` comes later also
        then, never from within.
        """
        count = len(events)
        size_bytes = EVENT_OVERHEAD_BYTES * count + sum(map(len, blocks))
        batch = Batch(events, blocks, stored, size_bytes, trio.current_time())
        if self._pending and self._backlog_bytes + size_bytes > self._settings.backlog_limit_bytes:
            self._trio.run_sync_soon(self._refused, batch)
            self.recent.extend(events)
            return
        self._pending.append(batch)
        self._backlog_bytes += size_bytes
        self._taken_events += count
        self._taken_bytes += size_bytes
        try:
            self._writer.put(batch)
        except MemoryError:
            self._pending.pop()
            self._backlog_bytes -= size_bytes
            self._taken_events -= count
            self._taken_bytes -= size_bytes
            raise
        self.recent.extend(events)  # last: a batch that comes again must not be in it already

    def skip_to(self, seq: int, session: str) -> None:
        """See `Journal.skip_to`."""
        if seq > self.recent.last_seq:
            self._gaps.add(self.recent.last_seq + 1, seq)
        if session not in self._sessions:
            self._sessions[session] = seq + 1
            self._writer.begin_session(session, seq + 1)
        self.session = session
        self.recent.skip_to(seq)

    def knows(self, session: str) -> bool:
        """See `Journal.knows`."""
        return session in self._sessions

    @property
    def session_from(self) -> int:
        """See `Journal.session_from`."""
        return self._sessions[self.session]

    def session_of(self, seq: int) -> str:
        """See `Journal.session_of`."""
        for session, first_seq in reversed([*self._sessions.items()]):
            if first_seq <= seq:
                return session
        return self.session

    def missing_after(self, seq: int) -> int:
        """See `Journal.missing_after`. What is still in memory is not missing."""
        self._settle()
        first_kept = self._first_kept
        removed = max(0, first_kept - 1 - seq)
        return removed + self._gaps.count(max(seq + 1, first_kept), self.recent.first_seq - 1)

    def redact(self, seq: int) -> None:
        """See `Journal.redact`. The disk follows with the next batch, of which the redaction's own
        event is to be a part.
        """
        self.recent.redact(seq)
        self._redacted.add(seq)
        self._writer.redact(seq)

    async def after(self, seq: int, limit: int) -> Page:
        """See `Journal.after`."""
        if seq + 1 >= self.recent.first_seq:
            await trio.lowlevel.checkpoint()
            return page_after(seq, limit, [self.recent.after(seq, limit + 1)], self.recent.last_seq)
        # What is not on the disk is taken from memory before the disk is read: it may be written,
        # and leave memory, meanwhile.
        memory = list(islice((event for event in self._in_memory() if event.seq > seq), limit + 1))
        last_seq = self.recent.last_seq
        disk = self._without_redacted(await self._reader.after(seq, limit + 1))
        return page_after(seq, limit, [disk, memory], last_seq)

    async def before(self, seq: int, limit: int) -> Page:
        """See `Journal.before`."""
        page = self.before_nowait(seq, limit)
        if page is not None:
            await trio.lowlevel.checkpoint()
            return page
        seq, first_kept = min(seq, self.recent.last_seq + 1), self._first_kept
        memory = deque((event for event in self._in_memory() if event.seq < seq), limit + 1)
        disk = self._without_redacted(await self._reader.before(seq, limit + 1))
        return page_before(seq, limit, [disk, memory], first_kept)

    def before_nowait(self, seq: int, limit: int) -> Page | None:
        """See `Journal.before_nowait`."""
        newest = self.recent.before(min(seq, self.recent.last_seq + 1), limit)
        if len(newest) < limit and self.recent.first_seq > self._first_kept:
            return None
        return Page(newest, more=bool(newest) and newest[0].seq > self._first_kept)

    async def search(self, text: str, before: int, limit: int) -> Page:
        """See `Journal.search`. What is not in the index yet, or not on the disk, is found too."""
        found = expression(text)
        if not found:
            await trio.lowlevel.checkpoint()
            return Page([], more=False)
        before = min(before, self.recent.last_seq + 1)
        events = await self._reader.search(found, before, limit + 1, list(self._in_memory()))
        # What the disk has found may be from before the redaction.
        return page_of_found(limit, [event for event in events if event.seq not in self._redacted])

    async def aclose(self) -> None:
        """See `Journal.aclose`. The second time it does nothing."""
        if not self._closed:
            self._closed = True
            self._reader.close()  # the last to close tidies up, which a reader may not
            await trio.to_thread.run_sync(
                self._writer.end, self.recent.last_seq, abandon_on_cancel=True
            )
            self._settle()

    def abandon(self) -> None:
        """Let go of the file as after a crash; does not block. After `aclose` it does nothing."""
        if not self._closed:
            self._closed = True
            self._writer.stop()
            self._reader.close()

    def statistics(self) -> JournalStatistics:
        """See `Journal.statistics`."""
        writer = self._writer
        done_events, done_bytes = writer.done_events, writer.done_bytes  # before what was taken
        return JournalStatistics(
            stored_events=writer.stored_events,
            refused_events=self.refused_events,
            backlog_events=self._taken_events - done_events,
            backlog_bytes=self._taken_bytes - done_bytes,
            behind_seconds=self._behind_seconds(),
            failure=writer.failure or None,
            commits=writer.commit_times.count,
            commit_seconds=writer.commit_times.seconds,
            commit_buckets=writer.commit_times.buckets,
        )

    def _behind_seconds(self) -> float:
        for batch in tuple(self._pending):  # the first may be done already
            if batch.events[-1].seq > self._writer.done_to:
                return self._clock.current_time() - batch.since
        return 0.0

    async def watch(self) -> None:
        """Tell those who wait when the disk is stuck, and the log when it does not keep up."""
        quiet_until = 0.0
        while True:
            await trio.sleep(WATCH_SECONDS)
            if self._writer.fault is not None:
                raise JournalLostError from self._writer.fault
            self._settle()
            now = trio.current_time()
            for batch in self._pending:
                if now - batch.since < STALL_SECONDS:
                    break
                self._answer(batch, stored=False)
            behind = self.statistics()
            if now >= quiet_until and (
                behind.backlog_bytes > BACKLOG_NOTICE_BYTES or behind.behind_seconds > STALL_SECONDS
            ):
                quiet_until = now + BACKLOG_NOTICE_SECONDS
                log.warning(
                    "the journal is behind: %d events, %d bytes, %.1f s",
                    behind.backlog_events,
                    behind.backlog_bytes,
                    behind.behind_seconds,
                )

    @property
    def _first_kept(self) -> int:
        # Of the disk, or of memory, which may still have what the disk could not keep.
        return min(self._store.first_kept, self.recent.first_seq)

    def _in_memory(self) -> Iterator[Event]:
        """In order: what may not be on the disk yet, then the newest."""
        first_recent = self.recent.first_seq
        for batch in self._pending:
            if batch.events[0].seq >= first_recent:
                break
            older = [event for event in batch.events if event.seq < first_recent]
            yield from self._without_redacted(older)
        yield from self.recent

    def _without_redacted(self, events: Sequence[Event]) -> Sequence[Event]:
        """What was read may be from before the redaction, however long ago that was."""
        if not self._redacted:
            return events
        return [without_text(event) if event.seq in self._redacted else event for event in events]

    def _report(self, group: Sequence[Batch], written: bool) -> None:
        """In the writer's thread: what has become of these batches."""
        self._outcomes.append((group, written))
        # Without memory `watch` sees it: the group is reported, and must not be so once more.
        with suppress(MemoryError, trio.RunFinishedError):
            self._unseen_events += sum(len(batch.events) for batch in group)
            waited_for = any(batch.stored is not None for batch in group)
            if waited_for or not written or self._unseen_events >= UNSEEN_EVENTS:
                self._unseen_events = 0
                self._trio.run_sync_soon(self._settle, idempotent=True)

    def _settle(self) -> None:
        """Take note of what the writer has reported."""
        while self._outcomes:
            group, written = self._outcomes.popleft()
            for batch in group:
                self._pending.popleft()  # the writer reports in order
                self._backlog_bytes -= batch.size_bytes
                if written:
                    self._answer(batch, stored=True)
                else:
                    self._refused(batch)

    def _refused(self, batch: Batch) -> None:
        self._gaps.add(batch.events[0].seq, batch.events[-1].seq)
        self.refused_events += len(batch.events)
        self._answer(batch, stored=False)

    @staticmethod
    def _answer(batch: Batch, *, stored: bool) -> None:
        answer, batch.stored = batch.stored, None
        if answer is not None:
            answer(stored)
