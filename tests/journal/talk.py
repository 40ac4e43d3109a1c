"""Events to be remembered, and waiting for what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import trio

from chatroom.event import Event, Gap, encode_event
from chatroom.journal import Journal
from chatroom.journal.sqlite import SqliteJournal
from chatroom.settings import JournalSettings


def said(seq: int, text: str = "hello", *, time: str = "2026-11-22T13:17:42.123456Z") -> Event:
    return Event(seq, time, "message", "alice", text)


def talk(first: int, last: int) -> list[Event]:
    """Messages with the numbers from `first` to `last`."""
    return [said(seq, f"line {seq}") for seq in range(first, last + 1)]


def settings_for(path: Path, **options: object) -> JournalSettings:
    return JournalSettings(path=str(path), **options)  # type: ignore[arg-type]


def numbers(events: object) -> list[int | tuple[int, int]]:
    """A page's numbers: an event's as it is, a gap's as a pair."""
    assert isinstance(events, list)
    return [(e.first, e.last) if isinstance(e, Gap) else e.seq for e in events]


def append(
    journal: Journal, events: list[Event], stored: Callable[[bool], None] | None = None
) -> None:
    """Hand events over as the room does."""
    journal.append(events, [encode_event(event) for event in events], stored)


async def store(journal: SqliteJournal, events: list[Event]) -> bool:
    """Append, and wait until it is said what has become of them."""
    outcome: list[bool] = []
    done = trio.Event()

    def stored(well: bool) -> None:
        outcome.append(well)
        done.set()

    append(journal, events, stored)
    with trio.fail_after(60):
        await done.wait()
    return outcome == [True]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread brings about."""
    with trio.fail_after(60):
        while not condition():
            await trio.sleep(0.001)


async def store_again(journal: SqliteJournal, first: int) -> int:
    """Say something until it is stored; the number of what was."""
    with trio.fail_after(60):
        while not await store(journal, talk(first, first)):
            first += 1
    return first
