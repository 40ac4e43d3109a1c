"""Which lives of a server are one log, and that no number is given out twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatroom.event import decode_event, encode_event
from chatroom.journal import limits
from chatroom.journal import store as store_module
from chatroom.journal.memory import MemoryJournal
from chatroom.journal.reader import _AFTER
from chatroom.journal.sqlite import SqliteJournal, open_journal
from chatroom.journal.store import Store
from chatroom.settings import Durability
from tests.journal.talk import append, numbers, said, settings_for, store, talk, until


async def crash(journal: SqliteJournal) -> None:
    """The end of a process that was killed, with everything written that waited."""
    journal.abandon()
    await until(lambda: not journal._writer._thread.is_alive())


async def test_a_clean_end_continues_the_session(path: Path) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert (journal.recent.last_seq, journal.recent.first_seq) == (0, 1)
        assert await store(journal, talk(1, 3))
        session = journal.session
    async with open_journal(settings_for(path)) as journal:
        assert journal.session == session
        assert journal.recent.last_seq == 3
        assert list(journal.recent) == talk(1, 3)
        assert await store(journal, talk(4, 5))
        assert journal.missing_after(0) == 0
        assert numbers(list((await journal.after(0, 9)).events)) == [1, 2, 3, 4, 5]


async def test_nothing_is_left_beside_the_file(path: Path) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        assert await store(journal, talk(1, 3))
        await journal.after(0, 9)
    assert os.listdir(path.parent) == [path.name]


async def test_a_crash_without_a_mark_begins_a_session_above_the_reservation(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(path / "missing"))
    sessions = []
    for life in range(3):
        async with open_journal(settings_for(path)) as journal:
            sessions.append(journal.session)
            last = journal.recent.last_seq
            assert last == life * limits.RESERVE_EVENTS + 0
            assert all(journal.knows(session) for session in sessions)
            assert not journal.knows("ELSEWHERE0")
            firsts = range(1, last + 2, limits.RESERVE_EVENTS)
            assert [journal.session_of(seq) for seq in firsts] == sessions
            assert [journal.session_of(seq - 1) for seq in firsts[1:]] == sessions[:-1]
            if life < 2:
                await crash(journal)
    assert len(set(sessions)) == 3


async def test_what_lies_between_sessions_is_a_gap(path: Path) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 3))
        await crash(journal)
    async with open_journal(settings_for(path)) as journal:
        first = journal.recent.last_seq + 1
        assert first == limits.RESERVE_EVENTS + 1
        assert numbers(list((await journal.after(2, 9)).events)) == [3, (4, first - 1)]
        assert await store(journal, talk(first, first + 1))
        page = await journal.after(2, 2)
        assert (numbers(list(page.events)), page.more) == ([3, (4, first - 1), first], True)
        page = await journal.before(first + 2, 3)
        assert numbers(list(page.events)) == [3, (4, first - 1), first, first + 1]
        assert journal.missing_after(2) == first - 4
        assert journal.missing_after(first - 1) == 0
        # A number that was seen and lost in the crash lies in the gap.
        assert numbers(list((await journal.after(10, 9)).events))[0] == (11, first - 1)


async def test_the_reservation_stays_ahead(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "RESERVE_EVENTS", 100)
    monkeypatch.setattr(store_module, "RESERVE_SECONDS", 0)
    async with open_journal(settings_for(path)) as journal:
        for seq in range(1, 1001, 10):
            assert await store(journal, talk(seq, seq + 9))
        await until(lambda: journal._store._reserved_from >= 950)
        await crash(journal)
    async with open_journal(settings_for(path)) as journal:
        assert 1050 <= journal.recent.last_seq <= 1100
        assert numbers(list((await journal.after(999, 9)).events))[:1] == [1000]


async def test_a_busy_room_reserves_more(path: Path) -> None:
    async with open_journal(settings_for(path)) as journal:
        half = limits.RESERVE_EVENTS // 2
        journal._store._reserved_at -= 10  # ten seconds for the next half million
        assert await store(journal, talk(half + 1, half + 1))
        await until(lambda: journal._store._reserved_from > half)
        assert journal._store._reserved_events > 20 * limits.RESERVE_EVENTS


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_events_come_back_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("text") / "room.db"
    file = Store(path, Durability.PROCESS)
    file.begin(0)
    events = [said(1), said(2, text), said(3)]
    file.write(events, [encode_event(event) for event in events])
    (joined,) = file.connection.execute(_AFTER, (0, 10)).fetchone()
    file.close()
    assert joined.encode() == b",".join(map(encode_event, events))
    assert [decode_event(encode_event(event)) for event in events] == events


async def test_in_memory_the_same_promises_but_durability() -> None:
    journal = MemoryJournal(keep=3)
    answers: list[bool] = []
    append(journal, talk(1, 5), answers.append)
    assert answers == [True]
    assert journal.knows(journal.session)
    assert not journal.knows("ELSEWHERE0")
    assert journal.missing_after(0) == 2
    page = await journal.after(0, 2)
    assert (numbers(list(page.events)), page.more) == ([(1, 2), 3, 4], True)
    page = await journal.before(99, 2)
    assert (numbers(list(page.events)), page.more) == ([4, 5], True)
    page = await journal.before(5, 9)
    assert (numbers(list(page.events)), page.more) == ([3, 4], False)
    await journal.aclose()
