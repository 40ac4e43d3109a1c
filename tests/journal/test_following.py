"""A journal whose numbers are given out by a log elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from chatroom.event import Event, Gap, encode_event
from chatroom.journal import Journal
from chatroom.journal.memory import MemoryJournal
from chatroom.journal.sqlite import open_journal
from chatroom.settings import JournalSettings
from tests.journal.test_sessions import crash

TIME = "2026-11-25T00:00:00.000000Z"


async def _keep(journal: Journal, *numbers: int) -> None:
    for number in numbers:
        event = Event(number, TIME, "message", "alice", f"line {number}")
        stored = trio.Event()
        journal.append([event], [encode_event(event)], _setting(stored))
        await stored.wait()


def _setting(stored: trio.Event) -> Callable[[bool], None]:
    return lambda _: stored.set()


async def test_the_log_does_not_say_where_it_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "chatroom.journal")
    path = tmp_path / "a.db"
    for following in (True, False):
        async with open_journal(JournalSettings(path=str(path)), following=following) as journal:
            pass
    assert caplog.messages == [
        f"journal {path}: follows a log elsewhere, 0 events kept",
        f"journal {path}: session {journal.session} goes on after #0, 0 events kept",
    ]


async def test_it_goes_on_where_it_was_and_what_it_missed_is_a_gap(tmp_path: Path) -> None:
    settings = JournalSettings(path=str(tmp_path / "a.db"), recent_events=10)
    async with open_journal(settings, following=True) as journal:
        journal.skip_to(0, "ROOMROOM01")
        await _keep(journal, 1, 2)
    async with open_journal(settings, following=True) as journal:
        assert journal.recent.last_seq == 2
        assert journal.knows("ROOMROOM01")
        journal.skip_to(4, "ROOMROOM01")
        await _keep(journal, 5)
        page = await journal.after(0, 10)
        assert [one if isinstance(one, Gap) else one.seq for one in page.events] == [
            1,
            2,
            Gap(3, 4),
            5,
        ]
        assert journal.missing_after(1) == 2


async def test_after_a_crash_no_number_is_passed_over(tmp_path: Path) -> None:
    settings = JournalSettings(path=str(tmp_path / "a.db"))
    async with open_journal(settings, following=True) as journal:
        journal.skip_to(0, "ROOMROOM01")
        await _keep(journal, 1)
        await crash(journal)
    async with open_journal(settings, following=True) as journal:
        assert journal.recent.last_seq == 1
        assert journal.session_of(1) == "ROOMROOM01"


async def test_a_new_session_is_on_the_disk_with_its_events(tmp_path: Path) -> None:
    settings = JournalSettings(path=str(tmp_path / "a.db"))
    async with open_journal(settings, following=True) as journal:
        journal.skip_to(0, "ROOMROOM01")
        await _keep(journal, 1)
        journal.skip_to(1000, "ROOMROOM02")
        assert journal.session == "ROOMROOM02"
        await _keep(journal, 1001)
    async with open_journal(settings, following=True) as journal:
        assert [journal.session_of(seq) for seq in (1, 1001)] == ["ROOMROOM01", "ROOMROOM02"]


async def test_in_memory_too(tmp_path: Path) -> None:
    journal = MemoryJournal(10)
    journal.skip_to(0, "ROOMROOM01")
    await _keep(journal, 1)
    journal.skip_to(1000, "ROOMROOM02")
    await _keep(journal, 1001)
    assert journal.knows("ROOMROOM01")
    assert (await journal.after(0, 10)).events[-1] == journal.recent.after(1000, 1)[0]
    assert journal.missing_after(1) == 999
