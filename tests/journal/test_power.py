"""What is on the disk when an ack is sent: the power goes, and whatever was not synced with it."""

from __future__ import annotations

from pathlib import Path

from chatroom.journal.sqlite import open_journal
from chatroom.settings import Durability
from tests.journal.disk import Disk
from tests.journal.talk import append, numbers, settings_for, store, talk


async def kept_after_power_failure(
    path: Path, disk: Disk, durability: Durability
) -> list[int | tuple[int, int]]:
    """The numbers that are there when the power went right after the acks of 1 to 30."""
    async with open_journal(settings_for(path, durability=durability)) as journal:
        for first in range(1, 31, 3):
            assert await store(journal, talk(first, first + 2))
        other = path.parent / "after the power failure"
        other.mkdir()
        disk.cut_power(other)
    async with open_journal(settings_for(other / path.name)) as journal:
        return numbers(list((await journal.after(0, 100)).events))


async def test_what_was_acked_outlives_a_power_failure(path: Path, disk: Disk) -> None:
    kept = await kept_after_power_failure(path, disk, Durability.POWER)
    assert kept == [*range(1, 31), (31, 1_000_000)]


async def test_the_proof_notices_a_missing_sync(path: Path, disk: Disk) -> None:
    # `process` acks after the commit without the sync: here that must show, or the test above
    # would not notice if the sync were taken out. What stays true is that no number is used twice.
    kept = await kept_after_power_failure(path, disk, Durability.PROCESS)
    assert kept == [(1, 1_000_000)]


async def test_one_sync_for_all_that_wait(path: Path, disk: Disk) -> None:
    async with open_journal(settings_for(path)) as journal:
        assert await store(journal, talk(1, 1))
        before = disk.syncs
        answers: list[bool] = []
        for seq in range(2, 1002):
            append(journal, talk(seq, seq), answers.append)
        assert await store(journal, talk(1002, 1002))
        assert answers == [True] * 1000
        assert disk.syncs - before < 20
