"""What is done in the background: old events go, by number and by age, and out of the search."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chatroom.event import Event
from chatroom.journal import chores, writer
from chatroom.journal.browse import Wanted, browse
from chatroom.journal.chores import AgeClock
from chatroom.journal.limits import CHORE_EVENTS, CHORE_PACE_EVENTS
from chatroom.journal.sqlite import SqliteJournal, open_journal
from tests.journal.talk import numbers, said, settings_for, store, talk, until

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def stamped(seq: int, when: datetime) -> Event:
    return said(seq, f"line {seq}", time=f"{when:%Y-%m-%dT%H:%M:%S.%f}Z")


async def tidy(journal: SqliteJournal) -> None:
    await until(lambda: journal._writer._chores.due_seconds() is None)


async def test_the_oldest_go_when_there_are_too_many(path: Path) -> None:
    async with open_journal(settings_for(path, keep_events=1000, recent_events=10)) as journal:
        for first in range(1, 5001, 500):
            assert await store(journal, talk(first, first + 499))
        await tidy(journal)
        page = await journal.after(0, 2)
        assert numbers(list(page.events)) == [(1, 4000), 4001, 4002]
        assert journal.missing_after(0) == 4000
        assert journal.missing_after(3999) == 1
        assert journal.missing_after(4000) == 0
        page = await journal.before(4003, 10)
        assert (numbers(list(page.events)), page.more) == ([4001, 4002], False)
    assert numbers(list(browse(path, Wanted(words="line", last=2)))) == [4999, 5000]
    assert numbers(list(browse(path, Wanted(words="3999")))) == []
    assert numbers(list(browse(path, Wanted(words="4001")))) == [4001]
    async with open_journal(settings_for(path, keep_events=1000)) as journal:
        assert journal._store.kept_events == 1000
        assert journal.missing_after(0) == 4000


async def test_chores_keep_up_with_talk_that_never_ends(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a pause in which the writer would be idle."""
    monkeypatch.setattr(writer, "CHORE_SECONDS", 1000.0)
    monkeypatch.setattr(chores, "AGE_CHECK_SECONDS", 0.0)
    async with open_journal(settings_for(path, keep_events=1000, keep_days=1e5)) as journal:
        for first in range(1, 10_001, 50):
            assert await store(journal, talk(first, first + 49))
        await until(lambda: journal._writer._owed_events < CHORE_PACE_EVENTS)
        assert 1000 <= journal._store.kept_events <= 1000 + 4 * CHORE_EVENTS
        assert 10_000 - journal._writer._chores._indexed_to <= 4 * CHORE_EVENTS


async def test_chores_keep_up_with_large_transactions(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "CHORE_SECONDS", 1000.0)
    async with open_journal(settings_for(path, keep_events=1000)) as journal:
        for first in range(1, 10_001, 400):
            assert await store(journal, talk(first, first + 399))
        assert journal._store.kept_events <= 1000 + 2 * 400 + 4 * CHORE_EVENTS


async def test_a_count_that_is_off_costs_no_event(path: Path) -> None:
    async with open_journal(settings_for(path, keep_events=100)) as journal:
        assert await store(journal, talk(1, 60))
        journal._store.kept_events += 1000
        assert await store(journal, talk(61, 62))
        await tidy(journal)
        assert journal._store.kept_events == 62
        assert numbers(list((await journal.before(63, 100)).events)) == list(range(1, 63))


async def test_gaps_do_not_count_as_events(path: Path) -> None:
    async with open_journal(settings_for(path, keep_events=100)) as journal:
        assert await store(journal, talk(1, 60))
        journal.abandon()
        await until(lambda: not journal._writer._thread.is_alive())
    async with open_journal(settings_for(path, keep_events=100)) as journal:
        first = journal.recent.last_seq + 1
        assert await store(journal, talk(first, first + 49))
        await tidy(journal)
        page = await journal.after(0, 1)
        assert numbers(list(page.events)) == [(1, 10), 11]
        assert journal._store.kept_events == 100


async def test_the_oldest_go_by_age(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "AGE_CHECK_SECONDS", 0.01)
    now = 0.0
    clock = AgeClock(lambda: NOON, lambda: now)
    events = [
        stamped(1, NOON - timedelta(days=5)),
        stamped(2, NOON - timedelta(days=3)),
        stamped(3, NOON - timedelta(hours=47)),
        stamped(4, NOON - timedelta(days=4)),  # the clock was wrong; it is behind a younger one
        stamped(5, NOON),
    ]
    settings = settings_for(path, keep_days=2, recent_events=1)
    async with open_journal(settings, clock=clock) as journal:
        assert await store(journal, events)
        await until(lambda: journal._store.first_kept == 3)
        assert numbers(list((await journal.after(0, 9)).events)) == [(1, 2), 3, 4, 5]
        now = timedelta(hours=2).total_seconds()
        await until(lambda: journal._store.first_kept == 5)
        now = timedelta(days=3).total_seconds()
        await until(lambda: journal._store.first_kept == 6)
        assert numbers(list((await journal.before(9, 9)).events)) == [5]  # memory has it still


def test_a_wall_clock_that_jumps_makes_nothing_old() -> None:
    """Only the start looks at it; from there on what counts is how much time has passed."""
    wall, passed = NOON, 100.0
    clock = AgeClock(lambda: wall, lambda: passed)
    assert clock.ago(1) == "2026-11-21T12:00:00.000000Z"
    for hours in (1, -1):
        wall = NOON + timedelta(hours=hours)
        assert clock.ago(1) == "2026-11-21T12:00:00.000000Z"
    passed += 60
    assert clock.ago(1) == "2026-11-21T12:01:00.000000Z"


async def test_a_chore_that_fails_holds_up_no_write(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_journal(settings_for(path)) as journal:
        journal._store.connection.execute("DROP TABLE search")
        assert await store(journal, talk(1, 3))
        await until(lambda: "not searchable" in caplog.text)
        assert await store(journal, talk(4, 6))
        assert not journal.statistics().failure


async def test_a_chore_that_fails_is_not_tried_again_at_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_journal(settings_for(path)) as journal:
        journal._store.connection.execute("DROP TABLE search")
        assert await store(journal, talk(1, 3))
        await until(lambda: "not searchable" in caplog.text)
        for seq in range(4, 100):
            assert await store(journal, talk(seq, seq))
        assert journal._writer._chore_ended_at > time.monotonic() + 5
        assert caplog.text.count("not searchable") == 1


async def test_a_fault_in_a_chore_does_not_end_the_writing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_journal(settings_for(path, keep_days=1e300)) as journal:  # no such date
        await until(lambda: "fault in the server" in caplog.text)
        assert await store(journal, talk(1, 3))
        session = journal.session
    async with open_journal(settings_for(path)) as journal:
        assert journal.session == session


async def test_the_oldest_go_when_they_take_too_much(path: Path) -> None:
    limit = 1_000_000
    async with open_journal(settings_for(path, keep_bytes=limit, recent_events=1)) as journal:
        for first in range(1, 10_001, 200):
            texts = [said(seq, f"line {seq} ".ljust(300, "x")) for seq in range(first, first + 200)]
            assert await store(journal, texts)
        await until(lambda: journal._store.first_kept > 1)
        await tidy(journal)
        assert path.stat().st_size < limit * 1.5
        page = await journal.before(20_000, 1000)
        kept = numbers(list(page.events))
        assert kept == [*range(9_001, 10_001)]
        assert journal.missing_after(0) > 5000
    assert numbers(list(browse(path, Wanted(words="10000")))) == [10_000]


async def test_one_event_is_kept_however_large(path: Path) -> None:
    async with open_journal(settings_for(path, keep_bytes=1)) as journal:
        for first in (1, 301):
            assert await store(journal, talk(first, first + 299))
            await tidy(journal)
        assert journal._store.first_kept == 600
