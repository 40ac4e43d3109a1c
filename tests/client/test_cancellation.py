"""A program is cancelled at each of its steps, one after the other; what is true then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

import chatroom
from chatroom.client.pending import OUTSTANDING
from tests.client.fake import FakeConnection, FakeRoom, Line
from tests.client.web_relay import WebRelay

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


async def come_by_the_web(fake: FakeRoom) -> None:
    async with trio.open_nursery() as nursery:
        relay = WebRelay(fake.port)
        await nursery.start(relay.run)
        async with chatroom.connect(relay.url, nick="alice") as room:
            await room.say("hello")
            await room.who()
        nursery.cancel_scope.cancel()


async def wait_for_a_place(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port, nick="alice") as room:
        for _ in range(OUTSTANDING):  # as if so many were on their way
            await room._state.pending.take_place()
        with trio.move_on_after(0.1):
            await room.say("never")
        room._state.pending.return_place()
        await room.say("hello")


async def rename_in_vain(fake: FakeRoom) -> None:
    """The answer is lost, so it comes back under the new name."""

    def lose(connection: FakeConnection, request: Line) -> bool:
        if request["kind"] != "rename":
            return False
        fake.before = lambda connection, request: False
        fake.happen("rename", "alice", to="al")
        connection.close()
        return True

    fake.before = lose
    async with chatroom.connect(port=fake.port, nick="alice", resume=True) as room:
        await room.rename("al")
        await room.rename("alice")
        await room.say("hello")


PROGRAMS = [
    come_and_go,
    say_something,
    listen,
    come_back,
    come_by_the_web,
    wait_for_a_place,
    rename_in_vain,
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_cancelled_at_each_step(program: Callable[[FakeRoom], Awaitable[None]]) -> None:
    """It ends at once, leaves nobody behind, and has said nothing twice."""

    async def attempt(step: int) -> trio.CancelScope:
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
            said = [e["text"] for e in fake.log if e["nick"] == "alice" and "text" in e]
            assert said == ["hello", "again"][: len(said)]
            async with chatroom.connect(port=fake.port, nick="alice") as room:
                assert await room.say("after") == len(fake.log)
            nursery.cancel_scope.cancel()
        return scope

    def run(step: int) -> trio.CancelScope:
        return trio.run(attempt, step, clock=trio.testing.MockClock(autojump_threshold=0.005))

    scopes = [run(1)]
    while scopes[-1].cancel_called:  # else the program has fewer steps
        scopes.append(run(len(scopes) + 1))
        assert len(scopes) < STEPS
    assert any(scope.cancelled_caught for scope in scopes)
