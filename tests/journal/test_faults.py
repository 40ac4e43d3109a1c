"""Disks that are full, stuck, locked, deleted: the talk goes on, what is lost is said, it heals."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
import trio
import trio.testing

from chatroom.errors import ChatroomError
from chatroom.journal import HistoryUnavailableError, writer
from chatroom.journal.sqlite import SqliteJournal, open_journal
from tests.journal.disk import SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE, SQLITE_OK, Disk
from tests.journal.talk import append, numbers, settings_for, store, talk, until


async def all_numbers(journal: SqliteJournal) -> list[int | tuple[int, int]]:
    """What the history says, read past what memory holds."""
    return numbers(list((await journal.after(0, 1000)).events))


@pytest.mark.parametrize("code", [SQLITE_FULL, SQLITE_IOERR_WRITE])
async def test_a_disk_that_takes_no_writes(
    path: Path, disk: Disk, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_journal(settings_for(path, recent_events=2)) as journal:
        assert await store(journal, talk(1, 3))
        disk.on_write = lambda name: code
        assert not await store(journal, talk(4, 5))
        assert not await store(journal, talk(6, 6))
        assert journal.statistics().refused_events == 3
        assert journal.statistics().failure
        assert "the talk goes on" in caplog.text
        disk.on_write = lambda name: SQLITE_OK
        assert await store(journal, talk(7, 9))
        assert "written again; 3 events were not stored" in caplog.text
        assert not journal.statistics().failure
        assert journal.missing_after(0) == 3
        assert journal.missing_after(5) == 1
        assert await all_numbers(journal) == [1, 2, 3, (4, 6), 7, 8, 9]
        session = journal.session
    async with open_journal(settings_for(path)) as journal:
        assert journal.session == session  # a hole within, which is said; the same log
        assert await all_numbers(journal) == [1, 2, 3, (4, 6), 7, 8, 9]
        assert journal.missing_after(0) == 3


async def test_a_room_in_which_nobody_talks_learns_that_the_disk_is_well_again(
    path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer, "PROBE_SECONDS", 0.01)
    monkeypatch.setattr(writer, "FAILURE_NOTICE_SECONDS", 0.01)  # of a chore that fails
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 1))
        disk.on_write = lambda name: SQLITE_FULL
        assert not await store(journal, talk(2, 2))
        assert journal.statistics().failure
        disk.on_write = lambda name: SQLITE_OK
        await until(lambda: not journal.statistics().failure)
        assert "written again; 1 events were not stored" in caplog.text
        assert await store(journal, talk(3, 3))
        assert await all_numbers(journal) == [1, (2, 2), 3]


async def test_a_sync_that_fails_is_no_ack(path: Path, disk: Disk) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 1))
        disk.on_sync = lambda name: SQLITE_IOERR_FSYNC
        assert not await store(journal, talk(2, 2))
        disk.on_sync = lambda name: SQLITE_OK
        assert await store(journal, talk(3, 3))
        other = path.parent / "other"
        other.mkdir()
        disk.cut_power(other)
    async with open_journal(settings_for(other / path.name, recent_events=1)) as journal:
        assert (await all_numbers(journal))[:3] == [1, (2, 2), 3]


async def test_what_was_refused_at_the_end_is_a_gap_in_the_next_life(
    path: Path, disk: Disk
) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 1))
        session = journal.session
        disk.on_write = lambda name: SQLITE_FULL
        assert not await store(journal, talk(2, 4))
        disk.on_write = lambda name: SQLITE_OK
    async with open_journal(settings_for(path)) as journal:
        assert journal.session == session
        assert journal.recent.last_seq == 4
        assert await all_numbers(journal) == [1, (2, 4)]


async def test_a_disk_that_is_full_at_the_end_makes_a_new_session(path: Path, disk: Disk) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 1))
        session = journal.session
        disk.on_write = lambda name: SQLITE_FULL
    disk.on_write = lambda name: SQLITE_OK
    async with open_journal(settings_for(path)) as journal:
        assert journal.session != session
        assert journal.knows(session)
        assert journal.recent.last_seq == 1_000_000


async def test_a_stalled_disk_holds_nobody_up(path: Path, disk: Disk) -> None:
    """Appending and reading go on while a sync hangs, and everything is stored afterwards."""
    moves = threading.Event()
    hangs = threading.Event()

    def hang(name: str) -> int:
        hangs.set()
        moves.wait(20)
        return SQLITE_OK

    async with open_journal(settings_for(path, recent_events=10)) as journal:
        assert await store(journal, talk(1, 5))
        disk.on_sync = hang
        answers: list[bool] = []
        append(journal, talk(6, 6), answers.append)
        await until(hangs.is_set)
        for seq in range(7, 107):
            append(journal, talk(seq, seq), answers.append)
        # Reads see what waits for the disk and has left the newest ten.
        assert await all_numbers(journal) == [*range(1, 107)]
        assert numbers((await journal.before(50, 10)).events) == [*range(40, 50)]
        assert journal.missing_after(0) == 0
        assert not answers
        assert journal.statistics().backlog_events == 101
        moves.set()
        await until(lambda: len(answers) == 101)
        assert all(answers)
        assert await all_numbers(journal) == [*range(1, 107)]


async def test_who_waits_for_a_stuck_disk_is_told(
    path: Path, disk: Disk, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    moves = threading.Event()

    def hang(name: str) -> int:
        moves.wait(20)
        return SQLITE_OK

    async with open_journal(settings_for(path)) as journal:
        disk.on_sync = hang
        answers: list[bool] = []
        append(journal, talk(1, 1), answers.append)
        await trio.sleep(4)
        assert answers == []
        await trio.sleep(3)
        assert answers == [False]
        assert "the journal is behind: 1 events" in caplog.text
        moves.set()
        await trio.to_thread.run_sync(until_stored, path)
        journal.statistics()
        assert answers == [False]  # once, whatever became of it
        assert journal.missing_after(0) == 0


def until_stored(path: Path) -> None:
    reading = sqlite3.connect(path)
    while not reading.execute("SELECT count(*) FROM event").fetchone()[0]:
        pass
    reading.close()


async def test_the_backlog_has_a_bound(path: Path, disk: Disk) -> None:
    moves = threading.Event()

    def hang(name: str) -> int:
        moves.wait(20)
        return SQLITE_OK

    async with open_journal(
        settings_for(path, backlog_limit_bytes=10_000, recent_events=1)
    ) as journal:
        disk.on_sync = hang
        answers: list[tuple[int, bool]] = []
        for seq in range(1, 101):
            append(journal, talk(seq, seq), lambda stored, seq=seq: answers.append((seq, stored)))  # type: ignore[misc]
        await until(lambda: len(answers) > 50)
        assert journal.statistics().backlog_bytes <= 10_000
        assert not any(stored for _, stored in answers)
        moves.set()
        await until(lambda: len(answers) == 100)
        kept = [seq for seq, stored in sorted(answers) if stored]
        assert kept == [*range(1, 21)]
        assert await store(journal, talk(101, 101))
        assert await all_numbers(journal) == [*range(1, 21), (21, 100), 101]
        assert journal.missing_after(0) == 80


async def test_a_database_that_another_program_has_locked(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 1))
        journal._store.connection.execute("PRAGMA busy_timeout = 20")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert not await store(journal, talk(2, 2))
        assert "locked" in caplog.text
        other.execute("ROLLBACK")
        other.close()
        assert await store(journal, talk(3, 3))
        journal.recent = type(journal.recent)(0, 3)  # as if memory had forgotten
        assert await all_numbers(journal) == [1, (2, 2), 3]


async def test_a_deleted_database_is_begun_anew(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 3))
        session = journal.session
        path.unlink()
        assert not await store(journal, talk(4, 4))
        assert "was deleted" in caplog.text
        assert await store(journal, talk(5, 6))
        assert await all_numbers(journal) == [(1, 4), 5, 6]
        assert journal.missing_after(0) == 4
    async with open_journal(settings_for(path)) as journal:
        assert journal.session == session
        assert await all_numbers(journal) == [(1, 4), 5, 6]


async def test_a_deleted_write_ahead_log_is_rescued(path: Path) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 3))
        path.with_name(path.name + "-wal").unlink()
        assert not await store(journal, talk(4, 4))
        assert await store(journal, talk(5, 6))
        assert await all_numbers(journal) == [1, 2, 3, (4, 4), 5, 6]
    async with open_journal(settings_for(path)) as journal:
        assert await all_numbers(journal) == [1, 2, 3, (4, 4), 5, 6]


async def test_a_file_put_in_its_place_is_not_touched(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 3))
        path.unlink()
        path.write_bytes(b"somebody's own")
        assert not await store(journal, talk(4, 4))
        assert not await store(journal, talk(5, 5))
        assert "replaced" in caplog.text
    assert path.read_bytes() == b"somebody's own"
    with pytest.raises(ChatroomError, match="not a chatroom journal"):
        async with open_journal(settings_for(path)):
            pass


async def test_a_disk_that_cannot_be_read(path: Path) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 3))
        path.rename(path.with_name("away"))
        with pytest.raises(HistoryUnavailableError):
            await journal.after(0, 10)
        path.with_name("away").rename(path)
        assert await all_numbers(journal) == [1, 2, 3]


async def test_a_fault_of_ours_in_the_writer_is_no_end_of_it(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_journal(settings_for(path)) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(journal._store, "write", lambda events: 1 / 0)
            assert not await store(journal, talk(1, 1))
        assert any(record.exc_info for record in caplog.records if record.levelno >= logging.ERROR)
        assert await store(journal, talk(2, 2))


async def test_a_limit_of_the_operating_system(path: Path) -> None:
    """Not our own disk this time: RLIMIT_FSIZE, and the real errors of real writes."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.journal.full_disk", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("acked ")
    assert path.stat().st_size > 0
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM gap").fetchone() == (1,)


async def test_a_stuck_disk_does_not_keep_the_server_from_ending(path: Path, disk: Disk) -> None:
    moves = threading.Event()
    hangs = threading.Event()

    def hang(name: str) -> int:
        hangs.set()
        moves.wait(20)
        return SQLITE_OK

    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 1))
        disk.on_sync = hang
        append(journal, talk(2, 2), None)
        await until(hangs.is_set)
        with trio.move_on_after(0.01) as grace:
            await journal.aclose()
        assert grace.cancelled_caught
    moves.set()
    await until(lambda: not journal._writer._thread.is_alive())
    async with open_journal(settings_for(path)) as journal:
        assert await all_numbers(journal) == [1, 2]  # nobody was told so, but it came in time


@pytest.mark.parametrize("every", [3, 5, 7, 12, 20, 31])
async def test_beginning_anew_on_a_failing_disk_is_tried_until_it_works(
    path: Path, disk: Disk, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RETRY_MAX_SECONDS", 0.01)
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.01)
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 3))
        path.unlink()
        assert not await store(journal, talk(4, 4))
        writes = 0

        def fill_up(name: str) -> int:
            nonlocal writes
            writes += 1
            return SQLITE_FULL if writes % every == 0 else SQLITE_OK

        disk.on_write = fill_up
        for seq in range(5, 9):
            await store(journal, talk(seq, seq))
        disk.on_write = lambda name: SQLITE_OK
        await store(journal, talk(9, 9))
        assert await store(journal, talk(10, 10))
        session = journal.session
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert journal.session == session
        assert (await all_numbers(journal))[-1] == 10
