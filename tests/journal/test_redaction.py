"""What was said and is not to be given out any more: not from memory, not from the disk, not by a
search, and not to somebody who reads the file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from chatroom.event import Event, Gap
from chatroom.journal.browse import Wanted, browse
from chatroom.journal.memory import MemoryJournal
from chatroom.journal.sqlite import SqliteJournal, open_journal
from tests.journal.talk import append, said, settings_for, store, talk, until

SECRET = "xylophone of gold"  # words that nothing else in the file has


def redaction(seq: int, of: int) -> Event:
    return Event(seq, "2026-11-22T13:17:43.000000Z", "redaction", "olga", of=of)


async def texts(journal: SqliteJournal | MemoryJournal, last: int) -> list[str]:
    forward = (await journal.after(0, last)).events
    backward = (await journal.before(last + 1, last)).events
    assert list(forward) == list(backward)
    return [event.text for event in forward]


@pytest.mark.parametrize("recent_events", [1, 100])
async def test_the_text_goes_and_the_number_stays(path: Path, recent_events: int) -> None:
    async with open_journal(settings_for(path, recent_events=recent_events)) as journal:
        assert await store(journal, [*talk(1, 2), said(3, f"a {SECRET}"), *talk(4, 5)])
        await until(lambda: journal._writer._chores.due_seconds() is None)
        assert _found(path) == [said(3, f"a {SECRET}")]  # it is in the index
        journal.redact(3)
        # At once, although the disk has it still.
        assert await texts(journal, 5) == ["line 1", "line 2", "", "line 4", "line 5"]
        assert await store(journal, [redaction(6, 3)])
        assert _found(path) == []
        assert await texts(journal, 5) == ["line 1", "line 2", "", "line 4", "line 5"]
    async with open_journal(settings_for(path)) as journal:
        page = await journal.after(2, 1)
        assert page.events == [said(3, "")]
    assert SECRET.encode() not in path.read_bytes()


def _found(path: Path) -> list[Event | Gap]:
    return list(browse(path, Wanted(words=SECRET)))


async def test_what_waits_for_the_disk_goes_too(path: Path) -> None:
    """The event, its redaction and the redaction's event may be one transaction."""
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        append(journal, [said(1, f"a {SECRET}")])
        journal.redact(1)
        assert await store(journal, [redaction(2, 1)])
        assert await texts(journal, 2) == ["", ""]
    assert SECRET.encode() not in path.read_bytes()


async def test_a_number_that_has_no_event_is_passed_over(path: Path) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, [said(1), said(5)])
        journal.redact(3)
        assert await store(journal, [redaction(6, 3)])
        assert list(journal._writer._redactions) == []


async def test_what_the_disk_refuses_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, [said(1, SECRET)])
        with monkeypatch.context() as broken:
            broken.setattr(journal._store, "redact", _no_disk)
            journal.redact(1)
            assert await store(journal, [redaction(2, 1)])
        assert "the text of #1 is on the disk still: no disk" in caplog.text
        assert await store(journal, [said(3)])
        assert list(journal._writer._redactions) == []
    assert SECRET.encode() not in path.read_bytes()


def _no_disk(seq: int) -> None:
    raise sqlite3.OperationalError("no disk")


async def test_memory_forgets_it_too() -> None:
    journal = MemoryJournal(3)
    append(journal, talk(1, 5))
    for seq in (1, 4, 6):  # not any more, yes, not yet
        journal.redact(seq)
    assert [event.text for event in (await journal.after(2, 5)).events] == ["line 3", "", "line 5"]


async def test_its_words_leave_the_index_too(path: Path) -> None:
    """Also those of a text that has been in the index for long, among much else."""
    async with open_journal(settings_for(path)) as journal:
        for first in range(1, 2000, 100):
            batch = [said(seq, f"line {seq} of many") for seq in range(first, first + 100)]
            if first == 501:
                batch[50] = said(551, f"a {SECRET}")
            assert await store(journal, batch)
            await until(lambda: journal._writer._chores.due_seconds() is None)
        assert b"xylophone" in _file(path)
        journal.redact(551)
        assert await store(journal, [redaction(2001, 551)])
        await until(lambda: not journal._store.words_left)
    assert b"xylophone" not in _file(path)
    assert len(list(browse(path, Wanted(words="line many")))) == 1999


async def test_a_merge_goes_on_after_a_restart(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, [said(1, SECRET), said(2)])
        await until(lambda: journal._writer._chores.due_seconds() is None)
        with monkeypatch.context() as stopped:
            stopped.setattr(journal._writer._chores, "due_seconds", lambda: None)
            journal.redact(1)
            assert await store(journal, [redaction(3, 1)])
    assert b"xylophone" in _file(path)
    async with open_journal(settings_for(path)) as journal:
        await until(lambda: not journal._store.words_left)
    assert b"xylophone" not in _file(path)


def _file(path: Path) -> bytes:
    wal = path.with_name(path.name + "-wal")
    return path.read_bytes() + (wal.read_bytes() if wal.exists() else b"")
