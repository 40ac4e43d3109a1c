"""Which files are taken, and that the others are left as they were."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from chatroom.errors import ChatroomError
from chatroom.journal import schema
from chatroom.journal.opening import FileLock
from chatroom.journal.sqlite import open_journal
from tests.journal.talk import numbers, settings_for, store, talk, until


async def refused(path: Path, why: str) -> None:
    """The file at `path` is refused with such a line, and not changed."""
    was = path.read_bytes() if path.is_file() else None
    beside = sorted(path.parent.iterdir())
    with pytest.raises(ChatroomError, match=why) as raised:
        async with open_journal(settings_for(path)):
            pass
    assert "\n" not in str(raised.value)
    assert (path.read_bytes() if path.is_file() else None) == was
    assert sorted(path.parent.iterdir()) == beside


@pytest.mark.parametrize("content", [b"x", b"hello\n" * 100, b"SQLite format 3\0" + bytes(100)])
async def test_a_file_that_is_no_database(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    await refused(path, "not a chatroom journal")


async def test_a_database_of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE event (seq)")
        other.commit()
    await refused(path, "not a chatroom journal")


async def test_a_journal_of_a_newer_version(path: Path) -> None:
    async with open_journal(settings_for(path)):
        pass
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        newer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    await refused(path, f"newer chatroom .format {schema.VERSION + 1}")


async def test_a_newer_version_that_is_still_in_the_write_ahead_log(path: Path) -> None:
    """The file's own header is older than what a newer server, killed since, has committed."""
    upgrade = f"""
import os, sqlite3
connection = sqlite3.connect({str(path)!r}, isolation_level=None)
connection.execute("PRAGMA user_version = {schema.VERSION + 1}")
os._exit(0)
"""
    async with open_journal(settings_for(path)):
        pass
    subprocess.run([sys.executable, "-c", upgrade], check=True)
    assert path.read_bytes()[60:64] == schema.VERSION.to_bytes(4, "big")
    with pytest.raises(ChatroomError, match="newer chatroom"):
        async with open_journal(settings_for(path)):
            pass
    with closing(sqlite3.connect(path)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()
    assert version == (schema.VERSION + 1,)


async def test_a_journal_in_use_here(path: Path) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 2))
        with pytest.raises(ChatroomError, match="used by another chatroom server"):
            async with open_journal(settings_for(path)):
                pass
        assert await store(journal, talk(3, 3))


async def test_a_journal_in_use_by_another_process(path: Path) -> None:
    opening = f"""
import trio
from chatroom.errors import ChatroomError
from chatroom.journal.sqlite import open_journal
from chatroom.settings import JournalSettings

async def main():
    async with open_journal(JournalSettings(path={str(path)!r})):
        pass

try:
    trio.run(main)
except ChatroomError as error:
    print(error)
"""
    async with open_journal(settings_for(path)):
        result = subprocess.run(
            [sys.executable, "-c", opening], check=True, capture_output=True, text=True
        )
    assert "used by another chatroom server" in result.stdout


async def test_a_directory(path: Path) -> None:
    path.mkdir()
    await refused(path, "cannot open the journal.*Is a directory")


async def test_a_directory_that_is_not_there(path: Path) -> None:
    with pytest.raises(ChatroomError, match="No such file"):
        async with open_journal(settings_for(path / "room.db")):
            pass


async def test_an_empty_file_is_a_new_journal(path: Path) -> None:
    path.touch()
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 1))


async def test_every_older_version_is_upgraded(path: Path) -> None:
    for version in range(1, schema.VERSION):
        old = path.with_name(f"version {version}")
        with closing(sqlite3.connect(old, isolation_level=None)) as connection:
            for step in schema.STEPS[:version]:
                for statement in step:
                    connection.execute(statement)
            connection.execute(
                """INSERT INTO event VALUES
                   (1, '{"seq":1,"time":"2026-11-22T13:17:42.123456Z","kind":"message",'
                       || '"nick":"alice","text":"hello"}')"""
            )
            connection.execute("INSERT INTO session VALUES (1, 'OLDSESSION')")
            connection.execute("UPDATE state SET reserved_to = 1")
            connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {version}")
        async with open_journal(settings_for(old)) as journal:
            assert journal.session == "OLDSESSION"
            assert await store(journal, talk(2, 2))
            assert numbers(list((await journal.after(0, 10)).events)) == [1, 2]
        assert old.read_bytes()[60:64] == schema.VERSION.to_bytes(4, "big")


async def test_an_upgrade_that_fails_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_journal(settings_for(path)):
        pass
    was = path.read_bytes()
    broken = ("CREATE TABLE more (x)", "INSERT INTO nowhere VALUES (1)")
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, broken))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with pytest.raises(ChatroomError, match="no such table: nowhere"):
        async with open_journal(settings_for(path)):
            pass
    assert path.read_bytes() == was


def modes(path: Path) -> dict[str, int]:
    """The rights of the journal's files, by what stands behind its name."""
    files = path.parent.glob(f"{path.name}*")
    return {file.name.removeprefix(path.name): file.stat().st_mode & 0o777 for file in files}


async def test_a_journal_is_for_its_owner_alone(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = os.umask(0)
    try:
        async with open_journal(settings_for(path)) as journal:
            assert await store(journal, talk(1, 3))
            assert modes(path) == {"": 0o600, "-wal": 0o600, "-shm": 0o600}
            path.unlink()
            assert not await store(journal, talk(4, 4))
            assert await store(journal, talk(5, 5))
            assert modes(path) == {"": 0o600, "-wal": 0o600, "-shm": 0o600}
            journal.abandon()  # as a kill
            await until(lambda: not journal._writer._thread.is_alive())
    finally:
        os.umask(before)
    assert set(modes(path).values()) == {0o600}
    assert "chmod" not in caplog.text


async def test_a_journal_that_others_may_read_is_warned_about_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.touch(0o644)
    path.chmod(0o644)
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 3))
    assert caplog.text.count("has the mode 0644") == 1
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
async def test_no_symbolic_link_is_followed(path: Path, suffix: str) -> None:
    target = path.with_name("target")
    target.write_bytes(b"")
    path.with_name(path.name + suffix).symlink_to(target)
    with pytest.raises(ChatroomError):
        async with open_journal(settings_for(path)):
            pass
    assert target.read_bytes() == b""


def test_a_lock_that_was_given_back_closes_nothing_more(path: Path) -> None:
    lock = FileLock(path)
    descriptor = lock._fd
    lock.release()
    with path.open("rb") as another:
        assert another.fileno() == descriptor
        lock.release()
        assert another.read() == b""


def test_an_upgrade_that_fails_leaves_nothing_begun(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(schema, "STEPS", (*schema.STEPS, ("nonsense",)))
            with pytest.raises(sqlite3.OperationalError):
                schema.upgrade(connection, 0)
        assert not connection.in_transaction
        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
