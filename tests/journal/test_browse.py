"""History for people: conditions, words, and a file that a server is writing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatroom.errors import ChatroomError
from chatroom.event import Event
from chatroom.journal.browse import Wanted, browse
from chatroom.journal.sqlite import SqliteJournal, open_journal
from tests.journal.disk import SQLITE_FULL, SQLITE_OK, Disk
from tests.journal.talk import numbers, said, settings_for, store, talk, until

TALK = [
    Event(1, "2026-11-22T10:00:00.000000Z", "join", "alice"),
    said(2, "The quick brown fox", time="2026-11-22T10:00:01.000000Z"),
    Event(3, "2026-11-22T10:00:02.000000Z", "action", "bob", "jumps over the Café"),
    # The clock was put back by an hour, and then forward by two.
    said(4, "a lazy dog, quickly", time="2026-11-22T09:00:03.000000Z"),
    Event(5, "2026-11-22T11:00:04.000000Z", "rename", "bob", to="fox"),
    said(6, 'NEAR AND "OR" quick-witted', time="2026-11-22T11:00:05.000000Z"),
]


async def fill(journal: SqliteJournal) -> None:
    assert await store(journal, TALK)


def seen(path: Path, **wanted: object) -> list[int | tuple[int, int]]:
    return numbers(list(browse(path, Wanted(**wanted))))  # type: ignore[arg-type]


CASES: list[tuple[dict[str, object], list[int]]] = [
    ({}, [1, 2, 3, 4, 5, 6]),
    ({"last": 2}, [5, 6]),
    ({"since": "2026-11-22T10:00:02"}, [3, 5, 6]),
    ({"until": "2026-11-22T10:00:01.000000Z"}, [1, 2, 4]),
    ({"since": "2026-11-22T10", "until": "2026-11-22T11:00:04.5"}, [1, 2, 3, 5]),
    ({"same_nick": "bob".__eq__}, [3, 5]),
    ({"same_nick": "fox".__eq__}, [5]),
    ({"words": "quick"}, [2, 6]),
    ({"words": "QUICK*"}, [2, 4, 6]),
    ({"words": "quick*", "last": 2}, [4, 6]),
    ({"words": "fox the"}, [2]),
    ({"words": "cafe"}, [3]),
    ({"words": "quick", "same_nick": "bob".__eq__}, []),
    ({"words": "near and"}, [6]),
    ({"words": '"or" -witted'}, [6]),
    ({"words": "absent"}, []),
]


@pytest.mark.parametrize(("wanted", "expected"), CASES)
@pytest.mark.parametrize("indexed", ["indexed", "half", "not indexed"])
async def test_conditions(
    path: Path, wanted: dict[str, object], expected: list[int], indexed: str
) -> None:
    async with open_journal(settings_for(path)) as journal:
        if indexed == "not indexed":
            journal._writer._chore_ended_at = float("inf")
        await fill(journal)
        if indexed != "not indexed":
            await until(lambda: journal._writer._chores.due_seconds() is None)
        if indexed == "half":
            journal._store.connection.execute("DELETE FROM search_docsize WHERE id > 3")
            journal._store.connection.execute("UPDATE state SET indexed_to = 3")
            journal._store.connection.execute(
                "INSERT INTO search (search, rowid, text) SELECT 'delete', seq, event ->> 'text'"
                " FROM event WHERE seq > 3 AND event ->> 'text' IS NOT NULL"
            )
        assert seen(path, **wanted) == expected
    if indexed == "indexed":
        assert seen(path, **wanted) == expected


async def test_gaps_are_shown_unless_something_is_searched(path: Path, disk: Disk) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 2))
        disk.on_write = lambda name: SQLITE_FULL
        assert not await store(journal, talk(3, 5))
        disk.on_write = lambda name: SQLITE_OK
        assert await store(journal, talk(6, 6))
    assert seen(path) == [1, 2, (3, 5), 6]
    assert seen(path, last=1) == [6]
    assert seen(path, words="line") == [1, 2, 6]
    assert seen(path, same_nick="alice".__eq__) == [1, 2, 6]


async def test_after_a_crash(path: Path) -> None:
    async with open_journal(settings_for(path)) as journal:
        await fill(journal)
        journal.abandon()
        await until(lambda: not journal._writer._thread.is_alive())
    assert seen(path, last=2) == [5, 6]


async def test_without_the_right_to_write(path: Path) -> None:
    """In a directory where nothing can be made: the file alone is read."""
    async with open_journal(settings_for(path)) as journal:
        await fill(journal)
    was = path.read_bytes()
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone() == (6,)
    assert seen(path) == [1, 2, 3, 4, 5, 6]
    assert path.read_bytes() == was
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b"", "is empty"), (b"some text", "not a chatroom journal")],
)
def test_what_is_no_journal(path: Path, content: bytes | None, why: str) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ChatroomError, match=why):
        seen(path)
    assert (path.read_bytes() if path.exists() else None) == content
