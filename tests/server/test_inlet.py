"""The channel before the one order: what waits there is not lost half-way, and not forgotten."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from chatroom.protocol.requests import Request
from chatroom.server.turn.inlet import Inlet, Read
from chatroom.settings import SUBMIT_SECONDS


def _read(number: int) -> Read:
    return Read(None, [Request("message", str(number))], None)


@pytest.fixture
def inlet(monkeypatch: pytest.MonkeyPatch) -> Inlet:
    """One that is full with its first read."""
    monkeypatch.setattr("chatroom.server.turn.inlet.CHANNEL_READS", 1)
    return Inlet()


async def test_a_cancelled_read_is_in_the_order_all_the_same(
    inlet: Inlet, nursery: trio.Nursery
) -> None:
    first, second = _read(1), _read(2)
    await inlet.put(first)

    async def put_cancelled() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await inlet.put(second)
        assert scope.cancelled_caught

    nursery.start_soon(put_cancelled)
    await trio.testing.wait_all_tasks_blocked()
    assert inlet.waiting == 2
    assert inlet.gather(await inlet.wait_first()) == [first, second]


async def test_who_is_cancelled_while_the_room_is_stuck_ends_in_time_and_says_what_is_lost(
    inlet: Inlet, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    first = _read(1)
    await inlet.put(first)
    with trio.CancelScope() as scope:
        scope.cancel()
        await inlet.put(_read(2))
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(SUBMIT_SECONDS, abs=1)
    assert caplog.messages == ["connection 0: the room is stuck, what it said last is lost"]
    # It is not waited for any more: with one read left to be dealt with the room is idle again.
    assert inlet.gather(await inlet.wait_first()) == [first]
    assert inlet.waiting == 1


async def test_nobody_waits_for_an_order_that_has_ended(
    inlet: Inlet, nursery: trio.Nursery
) -> None:
    await inlet.put(_read(1))
    ended = 0

    async def put() -> None:
        nonlocal ended
        with pytest.raises(trio.BrokenResourceError):
            await inlet.put(_read(2))
        ended += 1

    nursery.start_soon(put)
    await trio.testing.wait_all_tasks_blocked()
    inlet.close()
    await trio.testing.wait_all_tasks_blocked()
    assert ended == 1


async def test_a_wake_is_one_turn_however_often_it_is_asked_for() -> None:
    inlet = Inlet()
    for _ in range(5000):
        inlet.wake()
    (read,) = inlet.gather(await inlet.wait_first())
    assert (read.connection, read.drafts) == (None, ())
