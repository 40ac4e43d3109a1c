"""A journal that is let go of because its file was moved, or its log deleted: what was acked is
saved where it can be, and nothing of ours goes into what others have made of it.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from chatroom.journal import holding, opening, writer
from chatroom.journal import store as store_module
from chatroom.journal.backup import back_up
from chatroom.journal.rows import sessions
from chatroom.journal.seal import Seal
from chatroom.journal.sqlite import SqliteJournal, open_journal
from tests.journal.disk import SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_OK, Disk
from tests.journal.looking import log_of, read_elsewhere, stored, whole
from tests.journal.talk import settings_for, store, store_again, talk, until


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(writer, "RETRY_MAX_SECONDS", 0.01)
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)


async def another(path: Path, last: int) -> Path:
    """The file of another room, which has a log beside it."""
    other, copy = path.with_name("other.db"), path.with_name("copy.db")
    async with open_journal(settings_for(other)) as journal:
        assert await store(journal, talk(1, last))
        shutil.copyfile(other, copy)
        shutil.copyfile(log_of(other), log_of(copy))
    return copy


def put_in_place(copy: Path, path: Path) -> None:
    log_of(copy).replace(log_of(path))
    copy.replace(path)


async def test_a_file_is_whole_where_it_was_moved_though_nothing_is_said_after_that(
    path: Path,
) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 9))
        away = path.rename(path.with_name("away"))
    assert stored(away) == {*range(1, 10)}


def _delete_log(path: Path) -> Path:
    log_of(path).unlink()
    return path


def _move(path: Path) -> Path:
    return path.rename(path.with_name("away"))


@pytest.mark.parametrize("touch", [_delete_log, _move])
@pytest.mark.parametrize("then", ["talk", "end"])
async def test_nothing_is_lost_though_somebody_reads_what_is_older(
    path: Path, touch: Callable[[Path], Path], then: str
) -> None:
    """A pager, say, or a backup: as long as it goes on the log can't be copied into the file."""
    async with AsyncExitStack() as stack:
        opened = open_journal(settings_for(path, recent_events=1))
        journal = await stack.enter_async_context(opened)
        assert await store(journal, talk(1, 300))
        with read_elsewhere(path):
            assert await store(journal, talk(301, 400))
            place = touch(path)
            if then == "talk":
                new = await store_again(journal, 401)
                assert new in stored(path)
            await stack.aclose()
            assert stored(place) >= {*range(1, 401)}
        async with open_journal(settings_for(path)) as journal:
            following = journal.recent.last_seq + 1
            assert await store(journal, talk(following, following))
        assert stored(place) >= {*range(1, 401)}


@asynccontextmanager
async def _moved(
    path: Path, patch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[SqliteJournal, Path]]:
    """A journal of 400 events whose file was moved while somebody reads, as they do inside: its log
    has been put beside it.
    """
    async with open_journal(settings_for(path)) as journal:
        patch.setattr(writer, "SILENCE_SECONDS", 0.01)
        assert await store(journal, talk(1, 300))
        with read_elsewhere(path):
            assert await store(journal, talk(301, 400))
            away = _move(path)
            await until(lambda: log_of(away).exists() and journal._writer._is_copied)
            yield journal, away


async def test_a_file_that_was_moved_there_and_back_has_no_old_log(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite would take what is in it for newer than what was said after that."""
    async with _moved(path, monkeypatch) as (journal, away):
        away.rename(path)
        assert await store(journal, talk(401, 900))
        assert not log_of(away).exists()
        path.rename(away)
    assert stored(away) == {*range(1, 901)}


@pytest.mark.parametrize("touch", [_delete_log, _move])
async def test_a_log_that_cannot_be_saved_for_want_of_room_hurts_nothing(
    path: Path, disk: Disk, touch: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 300))
        await until(lambda: whole(path))
        place = touch(path)
        was = place.read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "copyfileobj", full)
            for number in (301, 302):
                assert not await store(journal, talk(number, number))
            assert place.read_bytes() == was
            assert [file.name for file in path.parent.glob("*.new")] == []
        new = await store_again(journal, 303)
    assert stored(place) == {*range(1, 301), *([new] if place == path else [])}


@pytest.mark.parametrize("touch", [_delete_log, _move])
async def test_nor_does_it_when_the_server_ends(
    path: Path, disk: Disk, touch: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 300))
        place = touch(path)

        def full(*_: object) -> None:
            disk.on_write = lambda name: SQLITE_FULL if name == str(path) else SQLITE_OK
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(shutil, "copyfileobj", full)
    assert whole(place)
    if touch is _move:  # nor is what was not saved thrown away
        log_of(path).rename(log_of(place))
        assert stored(place) == {*range(1, 301)}


async def test_a_copy_of_a_log_is_for_whom_its_file_is(path: Path) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 300))
        path.chmod(0o640)
        with read_elsewhere(path):
            assert await store(journal, talk(301, 400))
            away = _move(path)
            await store_again(journal, 401)
            assert log_of(away).stat().st_mode & 0o777 == 0o640


async def test_the_log_of_a_file_that_somebody_has_changed_elsewhere_is_kept(path: Path) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 9))
        os.utime(_move(path), (1, 1))
        await store_again(journal, 10)
        kept = path.with_name(f"{log_of(path).name}.1")
        assert kept.stat().st_size > 1000


async def test_a_log_goes_along_with_a_file_that_is_moved_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _moved(path, monkeypatch) as (journal, away):
        further = away.rename(path.with_name("further"))
        await store_again(journal, 401)
        assert not log_of(away).exists()
        assert stored(further) == {*range(1, 401)}


async def test_a_log_does_not_take_the_place_of_another_one(path: Path) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 300))
        with read_elsewhere(path):
            assert await store(journal, talk(301, 400))
            away = _move(path)
            log_of(away).write_bytes(b"x" * 1000)
            for number in (401, 402):
                assert not await store(journal, talk(number, number))
            assert "is another log" in (journal.statistics().failure or "")
            assert log_of(away).read_bytes() == b"x" * 1000
        assert not await store(journal, talk(403, 403))  # nor is the file written to
        log_of(away).unlink()
        new = await store_again(journal, 404)
    assert stored(away) == {*range(1, 401)}
    assert stored(path) == {new}


@pytest.mark.parametrize("touch", [None, _delete_log, _move])
async def test_in_a_silence_the_file_becomes_whole_by_itself(
    path: Path, monkeypatch: pytest.MonkeyPatch, touch: Callable[[Path], Path] | None
) -> None:
    async with open_journal(settings_for(path)) as journal:
        monkeypatch.setattr(writer, "SILENCE_SECONDS", 0.1 if touch else 0.01)
        assert await store(journal, talk(1, 9))
        place = touch(path) if touch else path
        alone = path.with_name("alone")
        copies = (shutil.copyfile(place, alone) for _ in count())
        await until(lambda: stored(next(copies)) == {*range(1, 10)})
        await store_again(journal, 10)
    assert stored(place) >= {*range(1, 10)}


async def test_a_log_without_its_file_is_kept(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The file was moved, and the server killed before it noticed that."""
    away, there = path.with_name("away"), path.with_name("there.db")
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 9))
        shutil.copyfile(path, away)
        shutil.copyfile(log_of(path), log_of(there))
    for kept in ("there.db-wal.1", "there.db-wal.2"):
        async with open_journal(settings_for(there)) as journal:
            assert await store(journal, talk(1, 1))
        assert f"it is kept as {there.with_name(kept)}" in caplog.text
        there.unlink()
        shutil.copyfile(there.with_name(kept), log_of(there))
    there.with_name("there.db-wal.2").rename(log_of(away))
    assert stored(away) == {*range(1, 10)}


async def test_nothing_of_ours_goes_into_a_file_that_was_overwritten_and_moved(path: Path) -> None:
    """The server has said that it is to be moved."""
    other = path.with_name("other.db")
    async with open_journal(settings_for(other)) as journal:
        assert await store(journal, talk(1, 3000))
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 900))
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(901, 920))
        with path.open("r+b") as file:  # as `cp` does it
            file.truncate(0)
            file.write(other.read_bytes())
        for number in (921, 922):
            assert not await store(journal, talk(number, number))
        away = path.rename(path.with_name("away"))
        was = away.read_bytes()
        await store_again(journal, 923)
        assert away.read_bytes() == was


@pytest.mark.parametrize("damage", ["emptied", "garbage"])
async def test_nothing_of_a_damaged_log_goes_into_a_file_that_was_moved(
    path: Path, damage: str
) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 900))
        log = log_of(path)
        if damage == "emptied":
            os.truncate(log, 0)
        else:
            with log.open("r+b") as file:
                file.write(bytes(range(256)) * (log.stat().st_size // 256))
        assert not await store(journal, talk(901, 901))
        away = path.rename(path.with_name("away"))
        await store_again(journal, 902)
    assert whole(away)


async def test_a_log_that_is_emptied_and_deleted_is_not_saved(path: Path) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 9))
        os.truncate(log_of(path), 0)
        assert not await store(journal, talk(10, 10))
        log_of(path).unlink()
        assert not await store(journal, talk(11, 11))
        assert "move it away" in (journal.statistics().failure or "")
        path.unlink()
        await store_again(journal, 12)


@pytest.mark.parametrize("failing", ["on_write", "on_sync"])
async def test_a_log_is_saved_after_an_attempt_that_the_disk_has_cut_short(
    path: Path, disk: Disk, failing: str
) -> None:
    result = SQLITE_FULL if failing == "on_write" else SQLITE_IOERR_FSYNC
    spared = 2 if failing == "on_write" else 0
    calls: list[str] = []

    def fail(name: str) -> int:
        if name == str(path):
            calls.append(name)
        return result if len(calls) > spared else SQLITE_OK

    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 300))
        log_of(path).unlink()
        setattr(disk, failing, fail)
        for number in (301, 302):
            assert not await store(journal, talk(number, number))
        assert len(calls) > spared
        setattr(disk, failing, lambda _: SQLITE_OK)
        new = await store_again(journal, 303)
        assert stored(path) == {*range(1, 301), new}


@pytest.mark.parametrize("by", ["a backup", "another room"])
async def test_a_log_that_was_saved_does_not_make_ours_what_is_put_in_the_file_s_place(
    path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    copy = path.with_name("copy.db")
    if by == "another room":
        copy = await another(path, 50)

    def fail(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 5))
        if by == "a backup":
            back_up(path, copy)
            log_of(copy).touch()
        assert await store(journal, talk(6, 9))
        log_of(path).unlink()
        with monkeypatch.context() as patch:
            patch.setattr(holding, "open_database", fail)
            for number in (10, 11):
                assert not await store(journal, talk(number, number))
            assert journal._store._file._lock.is_held  # connections that read count on it
            was = copy.read_bytes(), log_of(copy).read_bytes()
            put_in_place(copy, path)
        for number in (12, 13):
            assert not await store(journal, talk(number, number))
        assert "was replaced" in (journal.statistics().failure or "")
        assert (path.read_bytes(), log_of(path).read_bytes()) == was


async def test_no_connection_is_opened_while_a_file_is_begun_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could have the old file and the new one's index."""
    waited: list[bool] = []
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 9))
        old = opening.file_id(path)
        assert old is not None
        reads = threading.Thread(target=opening.connect_to, args=(old, path))

        def open_slowly(*args: Any) -> sqlite3.Connection:
            reads.start()
            reads.join(0.05)
            waited.append(reads.is_alive())
            return opening.open_database(*args)

        monkeypatch.setattr(holding, "open_database", open_slowly)
        path.unlink()
        await store_again(journal, 10)
        reads.join()
    assert waited == [True]


async def test_what_is_put_in_the_place_of_a_file_that_is_begun_is_left_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = await another(path, 50)

    def replaced(connection: sqlite3.Connection) -> object:
        if copy.exists():
            put_in_place(copy, path)
        return sessions(connection)

    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 9))
        monkeypatch.setattr(store_module, "sessions", replaced)
        path.unlink()
        for number in range(10, 14):
            assert not await store(journal, talk(number, number))
        assert stored(path) == {*range(1, 51)}


async def test_what_was_begun_by_halves_is_undone_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truncate = os.ftruncate

    def fail(*_: object) -> None:
        monkeypatch.setattr(os, "ftruncate", fail_once)
        monkeypatch.setattr(holding, "Seal", Seal)
        raise OSError(errno.EIO, "Input/output error")

    def fail_once(*_: object) -> None:
        monkeypatch.setattr(os, "ftruncate", truncate)
        raise OSError(errno.EIO, "Input/output error")

    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 9))
        monkeypatch.setattr(holding, "Seal", fail)
        path.unlink()
        new = await store_again(journal, 10)
        assert os.ftruncate is truncate
        assert stored(path) == {new}
