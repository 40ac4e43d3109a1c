"""What a journal says of itself, to whoever watches the server, from any thread."""

from __future__ import annotations

import threading
from pathlib import Path

import trio
from trio.testing import MockClock

from chatroom.journal.memory import MemoryJournal
from chatroom.journal.sqlite import open_journal
from chatroom.journal.statistics import (
    COMMIT_BUCKETS_SECONDS,
    CommitTimes,
    JournalStatistics,
)
from tests.journal.disk import SQLITE_FULL, SQLITE_OK, Disk
from tests.journal.talk import append, settings_for, store, talk, until


async def test_what_waits_and_what_is_done(path: Path, disk: Disk, mock_clock: MockClock) -> None:
    moves, hangs = threading.Event(), threading.Event()

    def hang(name: str) -> int:
        hangs.set()
        moves.wait(20)
        return SQLITE_OK

    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 3))
        before = journal.statistics()
        assert (before.stored_events, before.backlog_events, before.backlog_bytes) == (3, 0, 0)
        assert (before.behind_seconds, before.failure, before.commits) == (0.0, None, 1)
        disk.on_sync = hang
        append(journal, talk(4, 5))
        await trio.to_thread.run_sync(hangs.wait)
        mock_clock.jump(2)
        append(journal, talk(6, 6))
        stuck = await trio.to_thread.run_sync(journal.statistics)
        assert (stuck.backlog_events, stuck.stored_events) == (3, 3)
        assert stuck.backlog_bytes > 3 * 400
        assert stuck.behind_seconds >= 2
        moves.set()
        # Nobody waits for an ack, so Trio's thread has not heard yet that they are written.
        while journal.statistics().backlog_events:
            await trio.to_thread.run_sync(moves.wait)
        after = journal.statistics()
        assert (after.stored_events, after.backlog_bytes, after.behind_seconds) == (6, 0, 0.0)
        assert after.commits == sum(after.commit_buckets) >= 2
        assert after.commit_seconds > 0


async def test_failures(path: Path, disk: Disk) -> None:
    async with open_journal(settings_for(path)) as journal:
        disk.on_write = lambda name: SQLITE_FULL
        assert not await store(journal, talk(1, 3))
        failing = journal.statistics()
        assert (failing.refused_events, failing.backlog_events, failing.commits) == (3, 0, 0)
        assert failing.failure == "database or disk is full"
        disk.on_write = lambda name: SQLITE_OK
        assert await store(journal, talk(4, 4))
        await until(lambda: journal.statistics().stored_events == 1)
        assert journal.statistics().failure is None


def test_each_commit_is_in_one_bucket() -> None:
    times = CommitTimes()
    for seconds in (0.0, COMMIT_BUCKETS_SECONDS[0], 0.0006, 2.5, 2.6, 100.0):
        times.add(seconds)

    assert times.buckets == (2, 1, *[0] * 9, 1, 2)
    assert (times.count, times.seconds) == (6, sum([0.0005, 0.0006, 2.5, 2.6, 100.0]))


def test_memory_has_nothing_to_wait_for() -> None:
    assert MemoryJournal(3).statistics() == JournalStatistics()
