"""A program is cancelled at each of its steps, one after the other; what is true then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

import chatroom
from tests.client.fake import FakeRoom

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: More steps than any of the programs has.
STEPS = 60


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope right before the task that made this takes its n-th step from now."""

    def __init__(self, step: int, scope: trio.CancelScope) -> None:
        self._left = step
        self._scope = scope
        self._task = trio.lowlevel.current_task()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._left -= 1
            if self._left == 0:
                self._scope.cancel()


async def come_and_go(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, nick="alice"):
        pass


async def say_something(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, nick="alice") as room:
        await room.say("hello")
        await room.say("again")


async def listen(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, nick="alice", after=0) as room:
        await room.__anext__()
        await room.who()


async def come_back(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, nick="alice", resume=True) as room:
        fake.connections[-1].close()
        await room.say("hello")


@pytest.mark.parametrize("program", [come_and_go, say_something, listen, come_back])
def test_cancelled_at_each_step(program: Callable[[FakeRoom], Awaitable[None]]) -> None:
    """It ends at once, leaves nobody behind, and has said nothing twice."""

    async def attempt(step: int) -> bool:
        fake = FakeRoom()
        async with trio.open_nursery() as nursery:
            await nursery.start(fake.serve)
            fake.happen("message", "bob", text="before")
            with trio.CancelScope() as scope:
                instrument = CancelAtStep(step, scope)
                trio.lowlevel.add_instrument(instrument)
                await program(fake)
            trio.lowlevel.remove_instrument(instrument)
            with trio.fail_after(5):
                while fake.connections:
                    await trio.testing.wait_all_tasks_blocked()
            said = [event["text"] for event in fake.log if event["nick"] == "alice"]
            assert said == ["hello", "again"][: len(said)]
            async with chatroom.connect(port=fake.port, nick="alice") as room:
                assert await room.say("after") == len(fake.log)
            nursery.cancel_scope.cancel()
        return scope.cancelled_caught

    def run(step: int) -> bool:
        return trio.run(attempt, step, clock=trio.testing.MockClock(autojump_threshold=0.005))

    caught = [run(step) for step in range(1, STEPS)]
    assert True in caught
    assert caught[-1] is False
