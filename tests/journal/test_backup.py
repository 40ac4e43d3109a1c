"""A copy of a journal that is being written: whole, of one moment, and nobody is held up."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio

from chatroom.errors import ChatroomError
from chatroom.journal.backup import back_up
from chatroom.journal.browse import Wanted, browse
from chatroom.journal.sqlite import open_journal
from tests.journal.talk import append, numbers, settings_for, store, talk


async def test_a_copy_while_the_room_talks(path: Path) -> None:
    copy = path.with_name("copy.db")
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 500))
        append(journal, talk(501, 1000))
        size = await trio.to_thread.run_sync(back_up, path, copy)
        assert await store(journal, talk(1001, 1002))
        assert copy.stat().st_size == size
        assert copy.stat().st_mode & 0o777 == 0o600
        assert sorted(path.parent.glob("copy*")) == [copy]
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kept = numbers(list(browse(copy, Wanted())))
        assert kept in ([*range(1, 501)], [*range(1, 1001)])
        session = journal.session
    async with open_journal(settings_for(copy)) as restored:
        assert restored.session != session
        assert restored.knows(session)
        assert await store(
            restored, talk(restored.recent.last_seq + 1, restored.recent.last_seq + 1)
        )


@pytest.mark.parametrize("there", ["file", "link", "directory"])
async def test_nothing_is_overwritten(path: Path, there: str) -> None:
    copy, elsewhere = path.with_name("copy.db"), path.with_name("elsewhere")
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 3))
        if there == "file":
            copy.write_bytes(b"mine")
        elif there == "link":
            copy.symlink_to(elsewhere)
        else:
            copy = path.with_name("nowhere") / "copy.db"
        with pytest.raises(ChatroomError, match="cannot make"):
            back_up(path, copy)
    assert there != "file" or copy.read_bytes() == b"mine"
    assert not elsewhere.exists()


def test_what_is_no_journal_is_not_copied(path: Path) -> None:
    copy = path.with_name("copy.db")
    for content in (None, b"", b"hello" * 100):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ChatroomError):
            back_up(path, copy)
        assert not copy.exists()


async def test_a_copy_that_is_not_whole_is_none(path: Path) -> None:
    copy = path.with_name("copy.db")
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 2000))
    with path.open("r+b") as file:  # the leaves of a tree
        file.seek(-20 * 4096, 2)
        file.write(b"\xff" * 16 * 4096)
    with pytest.raises(ChatroomError, match="would be damaged"):
        back_up(path, copy)
    assert not copy.exists()
