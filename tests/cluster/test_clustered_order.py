"""What a turn has decided goes into entries that are not too long, and who says more than the log
takes is read on when that has gone through, whichever way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
import trio
import trio.testing

from chatroom.order.contract import Done
from chatroom.order.part import UnavailableError
from chatroom.room.commands import Outcome, Say
from chatroom.room.room import Room
from chatroom.server.cluster import clustered
from chatroom.server.cluster.clustered import ClusteredOrder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatroom.room.commands import Command

SAY = Say(1, "", "message", "hello")


class PaperLog:
    """Takes everything, or nothing."""

    is_full = False

    def __init__(self) -> None:
        self.entries: list[int] = []  #: how many commands each has

    def append(self, commands: Sequence[Command]) -> int:
        if self.is_full:
            raise UnavailableError
        self.entries.append(len(commands))
        return len(self.entries)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> PaperLog:
    monkeypatch.setattr(clustered, "CLUSTER_EASED_COMMANDS", 2)
    return PaperLog()


@pytest.fixture
def order(log: PaperLog) -> ClusteredOrder:
    return ClusteredOrder(Room("lobby", max_members=9, presence_limit=9), Mock(), Mock(), log)


async def _all_wait(order: ClusteredOrder, nursery: trio.Nursery) -> trio.Event:
    eased = trio.Event()

    async def wait() -> None:
        await order.wait_eased()
        eased.set()

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    assert not eased.is_set()
    return eased


def test_an_entry_has_some_text_and_at_least_one_command(
    order: ClusteredOrder, log: PaperLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustered, "MAX_CHARACTERS", 10)
    monkeypatch.setattr(clustered, "MAX_COMMANDS", 4)
    for text in ("12345", "12345", "1", "x" * 20, "", *"123456"):
        order.propose(None, Say(1, "", "message", text))
    order.end_turn()
    assert log.entries == [2, 1, 1, 4, 3]


async def test_what_comes_back(order: ClusteredOrder, nursery: trio.Nursery) -> None:
    for _ in range(4):
        order.propose(None, SAY)
    order.end_turn()
    eased = await _all_wait(order, nursery)
    order.tell_own(1, Done(SAY, Outcome()))
    await trio.testing.wait_all_tasks_blocked()
    assert not eased.is_set()
    order.tell_own(1, Done(SAY, Outcome()))
    await trio.testing.wait_all_tasks_blocked()
    assert eased.is_set()


async def test_what_the_log_does_not_take(
    order: ClusteredOrder, log: PaperLog, nursery: trio.Nursery
) -> None:
    for _ in range(4):
        order.propose(None, SAY)
    eased = await _all_wait(order, nursery)
    log.is_full = True
    order.end_turn()
    await trio.testing.wait_all_tasks_blocked()
    assert eased.is_set()
