"""Files that somebody else deletes, replaces or changes while the room talks: no ack for what the
next server would not find, nobody else's history, and nothing of ours in somebody else's file.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from chatroom.event import encode_event
from chatroom.journal import HistoryUnavailableError, seal, writer
from chatroom.journal.limits import CHECKPOINT_PAGES
from chatroom.journal.seal import Seal
from chatroom.journal.sqlite import SqliteJournal, open_journal
from chatroom.journal.store import Store
from chatroom.settings import Durability
from tests.journal.disk import SQLITE_OK, Disk
from tests.journal.looking import history, log_of, stored
from tests.journal.talk import append, numbers, said, settings_for, store, talk, until

#: https://www.sqlite.org/walformat.html, 2.2 WAL-Index File Format: two copies, which only who
#: writes the log changes.
_INDEX_HEADER_BYTES = 96


async def all_numbers(journal: SqliteJournal) -> list[int | tuple[int, int]]:
    return numbers(list((await journal.after(0, 10_000)).events))


def copy_log(path: Path) -> None:
    """What was committed goes from the log into the file."""
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(writer, "RETRY_MAX_SECONDS", 0.01)


async def another_room(path: Path, last: int) -> Path:
    """The journal of a room that has nothing to do with that at `path`, closed in good order."""
    async with open_journal(settings_for(path.with_name("another.db"))) as journal:
        assert await store(journal, [said(seq, "secret") for seq in range(1, last + 1)])
    return path.with_name("another.db")


def empty(path: Path) -> None:
    os.truncate(path, 0)


def cut(path: Path) -> None:
    os.truncate(path, 4096)


def zero_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(100))


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\xff" * 4096)


def scramble(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))


CHANGES = [empty, cut, zero_header, grow, scramble]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("copied", [False, True])
async def test_no_ack_for_what_goes_into_a_changed_file(
    path: Path, change: Callable[[Path], None], copied: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 50))
        if copied:
            copy_log(path)
        change(path)
        acked = {seq for seq in range(51, 71) if await store(journal, [said(seq)])}
        assert acked <= stored(path)
        assert acked or "changed by another program" in caplog.text
    assert acked <= stored(path)


@pytest.mark.parametrize("change", [empty, cut, zero_header])
async def test_no_ack_for_what_goes_into_a_changed_log(
    path: Path, change: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 50))
        change(log_of(path))
        acked = {seq for seq in range(51, 61) if await store(journal, [said(seq)])}
        assert acked <= stored(path)
        assert "changed by another program" in caplog.text


@pytest.mark.parametrize("change", [empty, cut, zero_header])
async def test_no_ack_for_what_was_written_when_the_file_was_changed(
    path: Path, disk: Disk, change: Callable[[Path], None]
) -> None:
    """Between the look before the transaction and the one after it."""
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 50))

        def change_now(name: str) -> int:
            disk.on_sync = lambda name: SQLITE_OK
            change(path)
            return SQLITE_OK

        disk.on_sync = change_now
        assert not await store(journal, talk(51, 51))


@pytest.mark.parametrize("change", [empty, cut, zero_header])
async def test_no_ack_for_what_was_written_when_the_log_was_changed(
    path: Path, disk: Disk, change: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Between the look before the transaction and its first write, which goes behind the change."""
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 50))

        def change_now(name: str) -> int:
            disk.on_write = lambda name: SQLITE_OK
            change(log_of(path))
            return SQLITE_OK

        disk.on_write = change_now
        acked = {seq for seq in range(51, 61) if await store(journal, [said(seq)])}
        assert acked <= stored(path)
        assert "changed by another program" in caplog.text


@pytest.mark.parametrize("change", [empty, cut, zero_header])
async def test_no_ack_after_the_log_was_changed_while_it_was_copied(
    path: Path, disk: Disk, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "CHECKPOINT_PAGES", 3)
    changed = False

    def change_once(name: str) -> int:
        nonlocal changed
        if name == str(path) and not changed:
            changed = True
            change(log_of(path))
        return SQLITE_OK

    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 1))
        with closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")  # while it reads, the log is not begun anew
            reader.execute("SELECT * FROM event").fetchall()
            disk.on_write = change_once
            acked = set()
            for seq in range(2, 40):
                was_changed = changed
                if await store(journal, [said(seq, "x" * 900)]) and was_changed:
                    acked.add(seq)
                    assert acked <= stored(path)
    assert changed


async def test_a_log_that_is_deleted_while_it_is_copied_costs_little(
    path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "CHECKPOINT_PAGES", 3)

    def delete_once(name: str) -> int:
        if name == str(path):
            disk.on_write = lambda name: SQLITE_OK
            log_of(path).unlink()
        return SQLITE_OK

    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 1))
        disk.on_write = delete_once
        acked = [seq for seq in range(2, 40) if await store(journal, [said(seq, "x" * 900)])]
        assert acked[-1] == 39
        assert set(acked) <= stored(path)


async def test_a_look_that_fails_is_no_sign_of_others(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "CHECKPOINT_PAGES", 3)
    copied = Seal.copied
    looks = 0

    def no_descriptor(*_: object) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    def copied_without(of: Seal) -> None:
        nonlocal looks
        looks += 1
        with monkeypatch.context() as patch:
            patch.setattr(Seal, "_look_at_log", no_descriptor)
            copied(of)

    async with open_journal(settings_for(path)) as journal:
        monkeypatch.setattr(Seal, "copied", copied_without)
        for seq in range(1, 20):
            assert await store(journal, [said(seq, "x" * 900)])
    assert looks


def test_a_log_with_zeros_at_its_end_is_ours(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a loss of power may leave it; somebody who reads keeps it from being begun anew."""
    monkeypatch.setattr("chatroom.journal.opening.BUSY_SECONDS", 0.05)
    before = Store(path, Durability.PROCESS)
    before.begin(10)
    event = said(1)
    before.write([event], [encode_event(event)])
    after = path.with_name("after.db")
    for old, new in ((path, after), (log_of(path), log_of(after))):
        shutil.copyfile(old, new)
    before.close()
    with log_of(after).open("ab") as file:
        file.write(bytes(3 * 4120))
    with closing(sqlite3.connect(after)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT seq FROM event").fetchall() == [(1,)]
        again = Store(after, Durability.PROCESS)
        again.begin(10)
        again.write_nothing()
        again.close()


@pytest.mark.parametrize("which", ["file", "log"])
async def test_no_ack_for_what_was_written_when_a_file_was_deleted(
    path: Path, disk: Disk, which: str
) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 3))

        def delete_now(name: str) -> int:
            disk.on_sync = lambda name: SQLITE_OK
            (path if which == "file" else log_of(path)).unlink()
            return SQLITE_OK

        disk.on_sync = delete_now
        assert not await store(journal, talk(4, 6))
        assert await store(journal, talk(7, 9))
        # What was said to be lost is lost, also where the log could be rescued.
        told = await all_numbers(journal)
        assert told == ([(1, 6), 7, 8, 9] if which == "file" else [1, 2, 3, (4, 6), 7, 8, 9])
        assert journal.missing_after(0) == (6 if which == "file" else 3)
        assert journal._store.kept_events == (3 if which == "file" else 6)


async def test_a_file_that_was_away_for_a_moment(path: Path, disk: Disk) -> None:
    """What was written meanwhile was refused, and is not there twice when the file is back."""
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 3))

        def move_now(name: str) -> int:
            disk.on_sync = lambda name: SQLITE_OK
            path.rename(path.with_name("away"))
            return SQLITE_OK

        disk.on_sync = move_now
        assert not await store(journal, talk(4, 6))
        path.with_name("away").rename(path)
        assert await store(journal, talk(7, 9))
        assert await all_numbers(journal) == [1, 2, 3, (4, 6), 7, 8, 9]
        assert journal.missing_after(0) == 3
    async with open_journal(settings_for(path)) as journal:
        assert await all_numbers(journal) == [1, 2, 3, (4, 6), 7, 8, 9]


async def test_an_emptied_file_is_begun_anew(path: Path) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 3))
        assert numbers(list((await journal.after(0, 9)).events)) == [1, 2, 3]
        session = journal.session
        empty(path)
        assert not await store(journal, talk(4, 4))
        assert await store(journal, talk(5, 6))
        assert await all_numbers(journal) == [(1, 4), 5, 6]
    async with open_journal(settings_for(path)) as journal:
        assert journal.session == session
        assert await all_numbers(journal) == [(1, 4), 5, 6]


async def test_a_changed_file_that_is_moved_away_makes_room_for_a_new_one(path: Path) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 3))
        zero_header(path)
        assert not await store(journal, talk(4, 4))
        path.rename(path.with_name("away"))
        assert await store(journal, talk(5, 6))
        assert await all_numbers(journal) == [(1, 4), 5, 6]


@pytest.mark.parametrize("copied", [False, True])
async def test_another_journal_copied_into_the_file_stays_as_it_is(
    path: Path, copied: bool
) -> None:
    other = await another_room(path, 300)
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 50))
        if copied:
            copy_log(path)
        shutil.copyfile(other, path)
        for seq in range(51, 56):
            assert not await store(journal, [said(seq)])
    assert path.read_bytes() == other.read_bytes()


async def test_a_file_that_was_only_touched_is_ours(path: Path) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 50))
        os.utime(path, (1, 1))
        path.chmod(0o600)
        assert await store(journal, talk(51, 51))
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        assert await store(journal, talk(52, 52))
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA user_version = 2")
            other.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        assert await store(journal, talk(53, 53))
    assert {51, 52, 53} <= stored(path)


async def test_the_log_is_copied_into_the_file_when_it_is_long(path: Path) -> None:
    async with open_journal(settings_for(path)) as journal:
        for first in range(1, 12_001, 1000):
            assert await store(
                journal, [said(seq, "x" * 900) for seq in range(first, first + 1000)]
            )
        assert log_of(path).stat().st_size < 3 * CHECKPOINT_PAGES * 4096
        assert path.stat().st_size > 2 * CHECKPOINT_PAGES * 4096
        assert not journal.statistics().failure


async def test_another_rooms_history_is_not_read(path: Path) -> None:
    other = await another_room(path, 9)
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 9))
        assert await all_numbers(journal) == [*range(1, 10)]
        await until(lambda: journal._writer._chores.due_seconds() is None)
        path.rename(path.with_name("away"))
        other.rename(path)
        index = path.with_name(path.name + "-shm")
        was = index.read_bytes()[:_INDEX_HEADER_BYTES]
        for page in (journal.after, journal.before):
            for _ in range(3):  # more than there are connections open already
                with pytest.raises(HistoryUnavailableError, match="replaced"):
                    await page(5, 3)
        # Emptied, it would end the process at the writer's next look.
        assert index.read_bytes()[:_INDEX_HEADER_BYTES] == was
        path.rename(other)
        path.with_name("away").rename(path)
        assert await all_numbers(journal) == [*range(1, 10)]


async def test_a_person_who_reads_history_neither_mixes_two_rooms_nor_changes_a_file(
    path: Path,
) -> None:
    """SQLite takes the log of the running server for that of the file put in its file's place."""
    other = await another_room(path, 9)
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 9))
        path.rename(path.with_name("away"))
        shutil.copyfile(other, path)
        refused = await history(path)
        assert (refused.returncode, refused.stdout) == (1, b"")
        assert b"put in the place" in refused.stderr
        assert path.read_bytes() == other.read_bytes()
        path.with_name("away").rename(path)
        assert len((await history(path)).stdout.splitlines()) == 9
    assert stored(path) == {*range(1, 10)}


async def test_another_rooms_history_is_not_read_out_of_the_same_file(path: Path) -> None:
    other = await another_room(path, 300)
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 300))
        copy_log(path)
        shutil.copyfile(other, path)
        texts = set()
        with suppress(HistoryUnavailableError):
            texts = {event.text for event in (await journal.after(0, 10)).events}
        assert "secret" not in texts


async def test_what_the_writer_has_just_refused_is_missing(path: Path, disk: Disk) -> None:
    """Also before Trio's thread has heard of it by itself."""
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 1))
        empty(path)
        append(journal, talk(2, 4))
        deadline = time.monotonic() + 20
        while not journal._outcomes and time.monotonic() < deadline:
            time.sleep(0.001)  # noqa: ASYNC251 (Trio is not to run meanwhile)
        assert journal.missing_after(0) == 2  # the last one is in memory
