"""The thread that writes: everything that waits in one transaction, one sync for all of it."""

from __future__ import annotations

import logging
import math
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatroom.journal.chores import Chores
from chatroom.journal.limits import (
    BUSY_EVENTS,
    CHORE_EVENTS,
    CHORE_PACE_EVENTS,
    CHORE_SECONDS,
    CHORES_AT_ONCE,
    FAILURE_NOTICE_SECONDS,
    GATHER_SECONDS,
    GROUP_EVENTS,
    MOST_OWED_EVENTS,
    PROBE_SECONDS,
    RETRY_MAX_SECONDS,
    RETRY_SECONDS,
    SILENCE_SECONDS,
)
from chatroom.journal.seal import FileGoneError
from chatroom.journal.statistics import CommitTimes
from chatroom.journal.store import Store

if TYPE_CHECKING:
    from chatroom.event import Event

log = logging.getLogger("chatroom.journal")

#: What a disk may do to us; anything else is a fault of ours.
DISK_ERRORS = (sqlite3.Error, OSError, FileGoneError)


@dataclass(slots=True, eq=False)
class Batch:
    """What the broadcaster handed over at once."""

    events: Sequence[Event]
    blocks: Sequence[bytes]  #: their JSON
    stored: Callable[[bool], None] | None  #: cleared once it was called
    size_bytes: int
    since: float  #: by Trio's clock


class Writer:
    """Owns the store, in a thread of its own: no disk, however slow, holds anybody else up."""

    def __init__(
        self,
        store: Store,
        chores: Chores,
        sessions: Mapping[str, int],
        last_seq: int,
        report: Callable[[Sequence[Batch], bool], None],
    ) -> None:
        """`last_seq` is the number before the first that will come. `report` is called in the
        writer's thread, in order, with each group of batches and whether it is on the disk now.
        """
        #: What has ended the thread before its time.
        self.fault: Exception | None = None
        self.failure = ""  #: why the last attempt failed, in a line; empty when it did not
        #: Since the start: events and bytes that were written or failed, up to which number, and
        #: how many of them are on the disk. Only the writer's thread counts, any may look.
        self.done_events = self.done_bytes = self.stored_events = 0
        self.done_to = last_seq
        self.commit_times = CommitTimes()
        self._store = store
        self._chores = chores
        self._sessions = sessions
        self._report = report
        self._queue: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._redactions: deque[int] = deque()
        self._new_sessions: deque[tuple[str, int]] = deque()  # and their first numbers
        self._ending = threading.Event()
        self._nothing_to_come = False
        self._clean = False
        self._last_seq = last_seq
        self._retry_seconds = RETRY_SECONDS
        self._last_group_events = 0
        self._lost_events = 0  # in this failure
        self._quiet_until = 0.0  # for the log
        self._probe_at = 0.0
        self._chore_ended_at = 0.0
        self._is_copied = False  # all of the log, into the file
        self._owed_events = 0  # written since the last chore that kept up with them
        # A daemon: a disk that never comes back must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, batch: Batch) -> None:
        """Give it a batch; never blocks."""
        self._queue.put(batch)

    def redact(self, seq: int) -> None:
        """Take the text of an event from the disk when the next batch has been written, before
        that is reported; never blocks. What the disk refuses is tried again with the one after.
        """
        self._redactions.append(seq)

    def begin_session(self, session: str, first_seq: int) -> None:
        """Have it on the disk before the events from that number on; never blocks."""
        self._new_sessions.append((session, first_seq))

    def end(self, last_seq: int) -> None:
        """Write what waits, say on the disk that numbers up to `last_seq` were given out, and let
        go of the file. Blocks until then.
        """
        self._last_seq = last_seq
        self._clean = True
        self.stop()
        self._thread.join()

    def stop(self) -> None:
        """Write what waits, and let go of the file as after a crash. Does not block."""
        self._ending.set()
        self._queue.put(None)

    # What follows is in the writer's thread.

    def _run(self) -> None:
        try:
            while not self._nothing_to_come:
                if group := self._next_group():
                    self._see_to(group)
            self._redact()
            if self._clean:
                self._store.end(self._last_seq)
        except DISK_ERRORS as error:
            log.error("the journal could not be closed in good order: %s", error)  # noqa: TRY400 (no fault of ours, so no traceback)
        except Exception as fault:
            self.fault = fault  # first, as the log may have no memory either
            log.exception("journal: fault in the server")
        finally:
            self._store.close()

    def _next_group(self) -> list[Batch]:
        """Everything that waits, within bounds."""
        group: list[Batch] = []
        events = 0
        batch = self._next_batch()
        if self._last_group_events >= BUSY_EVENTS and batch is not None:
            self._ending.wait(GATHER_SECONDS)
        while batch is not None:
            group.append(batch)
            events += len(batch.events)
            if events >= GROUP_EVENTS:
                break
            try:
                batch = self._queue.get_nowait()
            except queue.Empty:
                break
        else:
            self._nothing_to_come = True
        self._last_group_events = events
        return group

    def _see_to(self, group: list[Batch]) -> None:
        """Write and report it; where there is no memory even for that, again and again."""
        written = None
        while written is None:
            try:
                written = self._write(group)
            except MemoryError:
                self._ending.wait(RETRY_SECONDS)
        if written:
            self._look_ahead()
            self._keep_up()
        else:
            self._ending.wait(self._retry_seconds)
            self._retry_seconds = min(self._retry_seconds * 2, RETRY_MAX_SECONDS)

    def _keep_up(self) -> None:
        """A chore for each CHORE_PACE_EVENTS written, or fast talk would outrun the chores. What
        one transaction leaves undone is done after the next ones; at least as much as its own
        events make is done at once.
        """
        written = self._last_group_events
        self._owed_events = min(self._owed_events + written, MOST_OWED_EVENTS)
        for _ in range(max(CHORES_AT_ONCE, 2 * written // CHORE_EVENTS + 1)):
            if self._owed_events < CHORE_PACE_EVENTS:
                return
            if self._chores.due_seconds() != 0.0 or self._chore_ended_at > time.monotonic():
                self._owed_events = 0
                return
            self._owed_events -= CHORE_PACE_EVENTS
            self._do_chore()

    def _next_batch(self) -> Batch | None:
        """Wait for one. While there is little talk, a chore is done each CHORE_SECONDS; when there
        was none for that long, one chore after the other until there is.
        """
        idle = False
        while (due_seconds := self._chores.due_seconds()) is not None:
            since_chore = time.monotonic() - self._chore_ended_at
            pause_seconds = 0.0 if idle else CHORE_SECONDS
            wait_seconds = max(due_seconds, pause_seconds - since_chore)
            if idle or wait_seconds > 0:
                try:
                    return self._wait_batch(wait_seconds)
                except queue.Empty:
                    idle = True
                    self._probe()
            self._do_chore()
        while self.failure:
            try:
                return self._queue.get(timeout=PROBE_SECONDS)
            except queue.Empty:
                self._probe()
        return self._wait_batch(math.inf)

    def _wait_batch(self, seconds: float) -> Batch | None:
        """The next one. Raises `queue.Empty` when none comes for so long. In a silence all that is
        in the log is copied into the file, so that this is whole by itself.
        """
        while not self._is_copied and seconds > SILENCE_SECONDS:
            try:
                return self._queue.get(timeout=SILENCE_SECONDS)
            except queue.Empty:
                seconds -= SILENCE_SECONDS
                self._copy_log()
        return self._queue.get(timeout=None if seconds == math.inf else seconds)

    def _probe(self) -> None:
        """After a failure, where nothing is said that would show it: does the disk take something
        again? A room that is watched would get no talk back before it does.
        """
        if not self.failure or time.monotonic() < self._probe_at:
            return
        self._probe_at = time.monotonic() + PROBE_SECONDS
        try:
            self._store.write_nothing()
        except (MemoryError, *DISK_ERRORS):
            return
        self._succeeded()

    def _copy_log(self) -> None:
        try:
            self._is_copied = self._store.copy_log()
        except (MemoryError, *DISK_ERRORS) as error:
            if time.monotonic() >= self._quiet_until:
                self._quiet_until = time.monotonic() + FAILURE_NOTICE_SECONDS
                log.warning("the journal's file is not whole without its log: %s", error)
        except Exception:  # a fault of ours must not end the thread that writes
            log.exception("journal: fault in the server")

    def _do_chore(self) -> None:
        pause = 0.0
        self._is_copied = False
        try:
            self._chores.do_one()
            self._store.checkpoint()
        except (MemoryError, *DISK_ERRORS) as error:
            pause = FAILURE_NOTICE_SECONDS
            log.warning("history is not searchable or not trimmed for now: %s", error)
        except Exception:  # a fault of ours in a chore must not end the thread that writes
            pause = FAILURE_NOTICE_SECONDS
            log.exception("journal: fault in the server")
        self._chore_ended_at = time.monotonic() + pause

    def _write(self, group: Sequence[Batch]) -> bool:
        try:
            if self.failure and self._store.is_gone():
                self._store.start_over(self._sessions, group[0].events[0].seq)
            if self._new_sessions:
                self._store.add_session(*self._new_sessions[0])
                self._new_sessions.popleft()
            self._store_group(group)
        except DISK_ERRORS as error:
            self._failed(str(error), group)
            return False
        except Exception:
            log.exception("journal: fault in the server")
            self._failed("a fault in the server", group)
            return False
        self._succeeded()
        self._redact()
        self._done(group, written=True)
        return True

    def _store_group(self, group: Sequence[Batch]) -> None:
        if group[-1].events[-1].seq <= self._store.written_to:
            return  # already: there was no memory to report it
        self._is_copied = False
        begin = time.monotonic()
        self._store.write(
            [event for batch in group for event in batch.events],
            [block for batch in group for block in batch.blocks],
        )
        self.commit_times.add(time.monotonic() - begin)

    def _look_ahead(self) -> None:
        """What the next groups need, while nobody waits for it."""
        try:
            self._store.reserve_ahead()
            self._store.checkpoint()
        except (MemoryError, *DISK_ERRORS) as error:
            # The next group tries again, long before it is needed.
            if time.monotonic() >= self._quiet_until:
                self._quiet_until = time.monotonic() + FAILURE_NOTICE_SECONDS
                log.warning("the journal cannot reserve numbers or copy its log: %s", error)

    def _redact(self) -> None:
        redactions = self._redactions
        while redactions and redactions[0] <= self._store.written_to:
            try:
                self._store.redact(redactions[0])
            except DISK_ERRORS as error:
                log.error("the text of #%d is on the disk still: %s", redactions[0], error)  # noqa: TRY400 (no fault of ours, so no traceback)
                return
            redactions.popleft()

    def _failed(self, reason: str, group: Sequence[Batch]) -> None:
        self.failure = " ".join(reason.split())
        self._lost_events += sum(len(batch.events) for batch in group)
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + FAILURE_NOTICE_SECONDS
            log.error(
                "cannot write the journal, the talk goes on: %s; %d events not stored so far",
                reason,
                self._lost_events,
            )
        self._done(group, written=False)

    def _done(self, group: Sequence[Batch], *, written: bool) -> None:
        events = sum(len(batch.events) for batch in group)
        self.done_events += events
        self.done_bytes += sum(batch.size_bytes for batch in group)
        self.done_to = group[-1].events[-1].seq
        self.stored_events += events if written else 0
        self._report(group, written)

    def _succeeded(self) -> None:
        if self.failure:
            log.warning(
                "the journal is written again; %d events were not stored", self._lost_events
            )
            self.failure, self._lost_events, self._quiet_until = "", 0, 0.0
            self._retry_seconds = RETRY_SECONDS
