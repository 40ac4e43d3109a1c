"""A journal that is begun anew, or whose log is saved, while others have it open: SQLite has its
locks by process and by file, and what is deleted is not gone for who has it open.
"""

from __future__ import annotations

import errno
import operator
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest
import trio

from chatroom.journal import holding, opening, writer
from chatroom.journal import store as store_module
from chatroom.journal.sqlite import open_journal
from tests.journal.looking import history, log_of, stored
from tests.journal.talk import numbers, settings_for, store, store_again, talk


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(writer, "RETRY_MAX_SECONDS", 0.01)
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)


def index_of(path: Path) -> Path:
    return path.with_name(path.name + "-shm")


async def test_a_journal_begun_anew_has_an_index_of_its_own(path: Path) -> None:
    """A page reader has the old one open still; to close that is to drop the locks on it."""
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 9))
        assert len((await journal.after(0, 10)).events) == 9
        old = index_of(path).stat().st_ino
        path.unlink()
        new = await store_again(journal, 10)
        assert index_of(path).stat().st_ino != old
        assert numbers(list((await journal.after(new - 1, 10)).events)) == [new]
        assert len((await history(path)).stdout.splitlines()) == 1
        assert await store(journal, talk(new + 1, new + 1))


async def test_a_saved_log_leaves_the_locks(path: Path) -> None:
    """Who opens the file and closes it finds that others have it open, and tidies up nothing."""
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 9))
        assert len((await journal.after(0, 10)).events) == 9
        log_of(path).unlink()
        new = await store_again(journal, 10)
        look = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM event')"
        await trio.run_process([sys.executable, "-c", look, str(path)])
        assert log_of(path).exists()
        assert await store(journal, talk(new + 1, new + 1))


async def test_a_file_that_is_moved_away_is_whole_there(path: Path) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 9))
        assert len((await journal.after(0, 10)).events) == 9  # by a reader that has it open still
        away = path.rename(path.with_name("away"))
        new = await store_again(journal, 10)
        assert stored(path) == {new}
        assert stored(away) == {*range(1, 10)}


@pytest.mark.parametrize(
    "step",
    [(store_module, "words_are_left"), (holding, "Seal"), (store_module, "sessions")],
    ids=operator.itemgetter(1),
)
@pytest.mark.parametrize(
    "failure",
    [
        sqlite3.OperationalError("disk I/O error"),
        OSError(errno.EMFILE, "Too many open files"),
        MemoryError(),
    ],
    ids=["disk", "descriptors", "memory"],
)
async def test_whatever_fails_once_it_is_begun_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: tuple[ModuleType, str], failure: Exception
) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 9))
        with monkeypatch.context() as patch:

            def fail(*_: object) -> None:
                patch.undo()
                raise failure

            patch.setattr(*step, fail)
            path.unlink()
            new = await store_again(journal, 10)
            assert getattr(*step) is not fail
        assert stored(path) == {new}
        crashed = path.with_name("crashed.db")
        shutil.copyfile(path, crashed)
        shutil.copyfile(log_of(path), log_of(crashed))
    async with open_journal(settings_for(crashed)) as journal:
        following = journal.recent.last_seq + 1
        assert following > new
        assert await store(journal, talk(following, following))
    with closing(sqlite3.connect(crashed)) as connection:
        kept = [seq for (seq,) in connection.execute("SELECT seq FROM event ORDER BY seq")]
    assert kept == [new, following]
