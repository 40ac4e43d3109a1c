"""Memory that runs out on the way to the disk: nothing is told that is not true, and it goes on."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from chatroom.journal import sqlite
from chatroom.journal.sqlite import JournalLostError, open_journal
from chatroom.journal.writer import Batch
from tests.journal.talk import append, numbers, settings_for, store, talk, until


def failing_first(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, for whose first call there is no memory."""
    calls = 0

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise MemoryError
        return function(*args, **kwargs)

    return call


def stored(path: Path) -> list[int]:
    """The numbers on the disk."""
    with closing(sqlite3.connect(path)) as connection:
        return [seq for (seq,) in connection.execute("SELECT seq FROM event ORDER BY seq")]


@pytest.mark.parametrize("part", ["_report", "_done", "_redact", "_succeeded"])
async def test_what_is_written_and_cannot_be_reported_is_reported_later(
    path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_journal(settings_for(path)) as journal:
        writer = journal._writer
        monkeypatch.setattr(writer, part, failing_first(getattr(writer, part)))
        assert await store(journal, talk(1, 2))
        assert await store(journal, talk(3, 3))
        assert stored(path) == [1, 2, 3]


async def test_what_cannot_be_written_is_not_acked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        monkeypatch.setattr(journal._store, "write", failing_first(journal._store.write))
        assert not await store(journal, talk(1, 1))
        assert await store(journal, talk(2, 2))
        assert numbers(list((await journal.after(0, 10)).events)) == [(1, 1), 2]


@pytest.mark.parametrize("part", ["reserve_ahead", "checkpoint"])
async def test_what_is_done_ahead_can_wait(
    path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_journal(settings_for(path)) as journal:
        monkeypatch.setattr(journal._store, part, failing_first(getattr(journal._store, part)))
        assert await store(journal, talk(1, 1))
        assert await store(journal, talk(2, 2))


class Pending(deque[Batch]):
    """For the first batch there is no memory."""

    tries = 0

    def append(self, batch: Batch) -> None:
        self.tries += 1
        if self.tries == 1:
            raise MemoryError
        super().append(batch)


@pytest.mark.parametrize("waits", [True, False])
async def test_a_batch_that_is_not_taken_can_be_handed_over_again(
    path: Path, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_journal(settings_for(path)) as journal:
        if waits:
            monkeypatch.setattr(journal._writer, "put", failing_first(journal._writer.put))
        else:
            monkeypatch.setattr(journal, "_pending", Pending())
        with pytest.raises(MemoryError):
            append(journal, talk(1, 2))
        assert journal.recent.last_seq == 0
        assert await store(journal, talk(1, 2))
        assert numbers(list((await journal.after(0, 10)).events)) == [1, 2]
        assert stored(path) == [1, 2]
        assert not journal._pending
        # Not twice, or all numbers in it would be out of place.
        assert (journal.recent.first_seq, len(journal.recent)) == (1, 2)
        assert journal.statistics().backlog_events == 0


async def test_a_result_of_which_trio_is_not_told_is_looked_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_journal(settings_for(path)) as journal:

        class Token:
            def run_sync_soon(self, *args: object, **options: object) -> None:
                raise MemoryError

        monkeypatch.setattr(journal, "_trio", Token())
        assert await store(journal, talk(1, 1))


async def test_a_writer_that_has_ended_ends_the_server(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would go on without a single ack."""
    monkeypatch.setattr(sqlite, "WATCH_SECONDS", 0.01)
    answers: list[bool] = []
    faults: list[Exception | None] = []

    async def talk_on() -> None:
        async with open_journal(settings_for(path)) as journal:
            writer = journal._writer
            monkeypatch.setattr(writer, "_next_batch", failing_first(writer._next_batch))
            try:
                append(journal, talk(1, 1), answers.append)
                await until(lambda: answers == [True])
                append(journal, talk(2, 2), answers.append)
                await trio.sleep_forever()
            finally:
                faults.append(writer.fault)

    with pytest.RaisesGroup(JournalLostError, flatten_subgroups=True), trio.fail_after(20):
        await talk_on()
    assert isinstance(faults[0], MemoryError)
    assert "fault in the server" in caplog.text
    assert answers == [True]


async def test_events_that_memory_cannot_keep_are_read_from_the_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 1))

        class Cramped:
            def __init__(self, events: object) -> None:
                self._events = events

            def extend(self, events: object) -> None:
                raise MemoryError

            def __getattr__(self, name: str) -> object:
                return getattr(self._events, name)

            def __len__(self) -> int:
                return len(self._events)  # type: ignore[arg-type]

        events = journal.recent._events
        monkeypatch.setattr(journal.recent, "_events", Cramped(events))
        assert await store(journal, talk(2, 3))
        monkeypatch.setattr(journal.recent, "_events", events)
        assert (journal.recent.first_seq, journal.recent.last_seq) == (4, 3)
        assert numbers(list((await journal.after(0, 10)).events)) == [1, 2, 3]
