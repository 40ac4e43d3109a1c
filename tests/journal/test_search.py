"""One language of search, wherever the events are: on the disk, in its index, in memory."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chatroom.event import Event
from chatroom.journal import HistoryUnavailableError, Journal, reader, search
from chatroom.journal.chores import Chores
from chatroom.journal.memory import MemoryJournal
from chatroom.journal.sqlite import SqliteJournal, open_journal
from tests.journal.disk import SQLITE_FULL, SQLITE_OK, Disk
from tests.journal.talk import append, numbers, said, settings_for, store, until

#: A statement that never ends by itself.
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"


async def found(
    journal: Journal, text: str, before: int = 2**63 - 1, limit: int = 100
) -> list[int]:
    page = await journal.search(text, before, limit)
    return [event.seq for event in page.events if isinstance(event, Event)]


async def indexed(journal: SqliteJournal) -> None:
    await until(lambda: journal._writer._chores.due_seconds() is None)


def in_words(text: str, query: str) -> bool:
    """The language of search, spelled out for ASCII."""
    there = re.findall("[a-z0-9]+", text.lower())
    wanted = [(re.findall("[a-z0-9]+", word.lower()), word[-1]) for word in query.split()]
    wanted = [(parts, last) for parts, last in wanted if parts]
    return bool(wanted) and all(
        any(
            there[at : at + len(parts) - 1] == parts[:-1]
            and at + len(parts) <= len(there)
            and (
                there[at + len(parts) - 1].startswith(parts[-1])
                if last == "*"
                else there[at + len(parts) - 1] == parts[-1]
            )
            for at in range(len(there))
        )
        for parts, last in wanted
    )


ascii_texts = st.text("abAB1 -\"'*", min_size=1, max_size=12)


@example(["a b", "ab", "b-a", "B A"], "b-a*")
@example(["AND a", "a", "b"], 'a AND* "')
@settings(deadline=None)
@given(st.lists(ascii_texts, max_size=8), ascii_texts)
async def test_words(texts: list[str], query: str) -> None:
    journal = MemoryJournal(100)
    append(journal, [said(seq, text) for seq, text in enumerate(texts, 1)])
    assert await found(journal, query) == [
        seq for seq, text in enumerate(texts, 1) if in_words(text, query)
    ]


any_text = st.text(max_size=12) | st.sampled_from(
    ["É", "école", "ECOLE", "straße", "e\u0301t", "NEAR(a b)", "text:a", "^a", "a OR b", '"', "😀"]
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts=st.lists(any_text.filter(lambda text: "\0" not in text and text.isprintable()),
                   min_size=1, max_size=12),
    queries=st.lists(any_text | st.text("\0\ud800\"*(a", max_size=5), max_size=6),
    waits=st.booleans(),
)  # fmt: skip
async def test_the_same_is_found_wherever_it_is(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], queries: list[str], waits: bool
) -> None:
    path = tmp_path_factory.mktemp("search") / "room.db"
    events = [said(seq, text) for seq, text in enumerate(texts, 1)]
    memory = MemoryJournal(100)
    append(memory, events)
    async with open_journal(settings_for(path, recent_events=2)) as journal:
        half = (len(events) + 1) // 2
        assert await store(journal, events[:half])
        if waits:
            await indexed(journal)
        if events[half:]:
            append(journal, events[half:])
        for query in [*queries, *texts, *(text[:2] + "*" for text in texts)]:
            assert await found(journal, query) == await found(memory, query)


@pytest.mark.parametrize("on_disk", [False, True])
async def test_pages_go_back(path: Path, on_disk: bool) -> None:
    events = [said(seq, f"deploy {seq}" if seq % 3 == 0 else "hello") for seq in range(1, 31)]
    async with open_journal(settings_for(path, recent_events=4)) as disk:
        journal: Journal = disk if on_disk else MemoryJournal(100)
        append(journal, events)
        page = await journal.search("Deploy", 31, 4)
        assert (numbers(list(page.events)), page.more) == ([21, 24, 27, 30], True)
        page = await journal.search("deploy", 21, 4)
        assert (numbers(list(page.events)), page.more) == ([9, 12, 15, 18], True)
        page = await journal.search("deploy", 9, 2)
        assert (numbers(list(page.events)), page.more) == ([3, 6], False)
        page = await journal.search("deploy", 0, 2)
        assert (page.events, page.more) == ([], False)


async def test_what_is_not_indexed_or_could_not_be_written_is_found(
    path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Chores, "due_seconds", lambda chores: None)
    async with open_journal(settings_for(path, recent_events=3)) as journal:
        assert await store(journal, [said(seq, "deploy") for seq in range(1, 10)])
        disk.on_write = lambda name: SQLITE_FULL
        assert not await store(journal, [said(10, "deploy")])
        disk.on_write = lambda name: SQLITE_OK
        assert await found(journal, "deploy") == [*range(1, 11)]
        assert await store(journal, [said(11, "deploy")])
        assert await found(journal, "deploy") == [*range(1, 12)]


async def test_what_was_removed_is_not_found(path: Path) -> None:
    async with open_journal(settings_for(path, recent_events=1, keep_events=10)) as journal:
        assert await store(journal, [said(seq, "deploy") for seq in range(1, 31)])
        await indexed(journal)
        assert await found(journal, "deploy") == [*range(21, 31)]


async def test_a_search_that_takes_long_holds_nobody_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, begun = threading.Event(), threading.Event()

    def search_long(*arguments: object) -> Sequence[Event]:
        begun.set()
        goes_on.wait(20)
        return []

    monkeypatch.setattr(reader, "search_disk", search_long)
    async with (
        open_journal(settings_for(path, recent_events=1)) as journal,
        trio.open_nursery() as n,
    ):
        assert await store(journal, [said(seq) for seq in range(1, 5)])
        for _ in range(5):
            n.start_soon(journal.search, "a", 9, 9)
        await until(begun.is_set)
        assert numbers(list((await journal.after(0, 9)).events)) == [1, 2, 3, 4]
        assert await store(journal, [said(5)])
        n.cancel_scope.cancel()
        goes_on.set()


async def test_a_search_that_takes_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SEARCH_SECONDS", 0.01)
    with closing(sqlite3.connect(":memory:")) as connection:
        with pytest.raises(HistoryUnavailableError, match="too long"), search._deadline(connection):
            connection.execute(ENDLESS).fetchone()
        monkeypatch.undo()
        with search._deadline(connection):
            assert connection.execute("SELECT 1").fetchone() == (1,)


async def test_a_search_ends_although_its_time_is_up_between_two_statements(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupted = threading.Event()

    class Interruptible(sqlite3.Connection):
        def interrupt(self) -> None:
            super().interrupt()
            interrupted.set()

    monkeypatch.setattr(search, "SEARCH_SECONDS", 0.0)
    with closing(sqlite3.connect(":memory:", factory=Interruptible)) as connection:

        def search_late() -> None:
            with search._deadline(connection):
                assert interrupted.wait(10)
                connection.execute(ENDLESS).fetchone()

        with pytest.raises(HistoryUnavailableError, match="too long"):
            search_late()


async def test_a_disk_that_cannot_be_searched(path: Path) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, [said(1)])
        path.rename(path.with_name("away"))
        with pytest.raises(HistoryUnavailableError):
            await journal.search("hello", 9, 9)
        path.with_name("away").rename(path)
        assert await found(journal, "hello") == [1]
