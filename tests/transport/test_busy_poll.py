"""Who answers at once is waited for awake, and nobody else notices."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from chatroom.settings import ServerSettings
from chatroom.transport import epoll
from chatroom.transport.busy_poll import _QUICK, _ROUNDS, BusyPoll, receiver
from chatroom.transport.stream import SocketTransport


class Clock:
    """Goes on by `step` at each look, and by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class Talker(SocketTransport):
    """The server's end of a connection, the client's, and how often there was nothing."""

    def __init__(self) -> None:
        ours, self.client = socket.socketpair()
        ours.setblocking(False)
        super().__init__(ours)
        self.vain_looks = 0

    def receive(self, limit_bytes: int) -> bytes:
        try:
            return super().receive(limit_bytes)
        except BlockingIOError:
            self.vain_looks += 1
            raise

    def close(self) -> None:
        self.client.close()
        super().close()


@pytest.fixture
def talkers() -> Iterator[tuple[Talker, Talker, Talker]]:
    three = Talker(), Talker(), Talker()
    yield three
    for talker in three:
        talker.close()


@pytest.fixture
def talker(talkers: tuple[Talker, Talker, Talker]) -> Talker:
    return talkers[0]


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def say(poll: BusyPoll, talker: Talker, times: int = 1) -> None:
    """It says something, and has been heard when it says the next."""
    for number in range(times):
        talker.client.send(b"%d" % number)
        assert await poll.receive(talker) == b"%d" % number


async def say_after_looks(talker: Talker, looks: int, text: bytes = b"late") -> None:
    while talker.vain_looks < looks:
        await trio.lowlevel.checkpoint()
    talker.client.send(text)


async def test_one_who_was_quick_often_is_waited_for_awake(talker: Talker, clock: Clock) -> None:
    poll = BusyPoll(1.0, clock)
    await say(poll, talker, 1 + _QUICK)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(say_after_looks, talker, 5)  # which has its turns meanwhile
        assert await poll.receive(talker) == b"late"
    assert talker.vain_looks >= 5


async def test_two_who_answer_each_other_are_waited_for_awake(
    talkers: tuple[Talker, Talker, Talker], clock: Clock
) -> None:
    poll = BusyPoll(1.0, clock)
    first, second, _ = talkers

    async def hear(talker: Talker, times: int) -> None:
        for _ in range(times):
            await poll.receive(talker)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hear, first, _QUICK)
        nursery.start_soon(hear, second, _QUICK)
        for _ in range(_QUICK // 2 + 1):
            for talker in (first, second):
                await trio.testing.wait_all_tasks_blocked()
                talker.client.send(b"x")
        first.client.send(b"x")  # it was asleep before
        for talker in (second, first, second):
            await say_after_looks(talker, talker.vain_looks + 3)
        nursery.cancel_scope.cancel()


async def test_one_of_two_who_falls_silent_is_slept_for(
    talkers: tuple[Talker, Talker, Talker], clock: Clock
) -> None:
    poll = BusyPoll(1.0, clock)
    first, second, _ = talkers
    await say(poll, second)
    await say(poll, first, 1 + _QUICK)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poll.receive, second)
        await say_after_looks(second, 1, b"")  # it is awake
        for _ in range(2 * _ROUNDS):
            clock.now += 0.9
            await say(poll, first)
        looks = second.vain_looks
        await say(poll, first, 5)
        assert second.vain_looks == looks
        nursery.cancel_scope.cancel()


async def test_one_who_was_not_quick_often_enough_is_slept_for(
    talker: Talker, clock: Clock
) -> None:
    poll = BusyPoll(1.0, clock)
    await say(poll, talker, _QUICK)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poll.receive, talker)
        await trio.testing.wait_all_tasks_blocked()  # never, of one that is awake
        talker.client.send(b"x")
    assert talker.vain_looks == 0


async def test_one_slow_answer_and_it_has_to_be_quick_again(talker: Talker, clock: Clock) -> None:
    poll = BusyPoll(1.0, clock)
    await say(poll, talker, 1 + _QUICK)
    clock.step = 0.3
    async with trio.open_nursery() as nursery:
        nursery.start_soon(poll.receive, talker)
        await trio.testing.wait_all_tasks_blocked()
        assert 1 <= talker.vain_looks <= 4  # so many fit
        talker.client.send(b"x")
    clock.step = 0.0
    looks = talker.vain_looks
    await say(poll, talker, _QUICK - 1)
    assert talker.vain_looks == looks


async def test_who_takes_its_time_is_never_quick(talker: Talker, clock: Clock) -> None:
    poll = BusyPoll(1.0, clock)
    clock.step = 1.0
    await say(poll, talker, 3 * _QUICK)
    assert talker.vain_looks == 0


async def test_it_ends_when_a_third_one_speaks(
    talkers: tuple[Talker, Talker, Talker], clock: Clock
) -> None:
    poll = BusyPoll(1.0, clock)
    first, second, third = talkers
    await say(poll, second)
    await say(poll, first, 1 + _QUICK)
    async with trio.open_nursery() as nursery:
        for talker in talkers:
            nursery.start_soon(poll.receive, talker)
        await say_after_looks(first, 3, b"")  # it is awake
        third.client.send(b"me too")
        await trio.testing.wait_all_tasks_blocked()
        first.client.send(b"x")
        second.client.send(b"x")


async def test_three_who_talk_are_slept_for(
    talkers: tuple[Talker, Talker, Talker], clock: Clock
) -> None:
    poll = BusyPoll(1.0, clock)
    for _ in range(2 * _QUICK):
        for talker in talkers:
            await say(poll, talker)
    assert [talker.vain_looks for talker in talkers] == [0, 0, 0]


async def test_cancelled_it_has_taken_nothing(talker: Talker, clock: Clock) -> None:
    poll = BusyPoll(1.0, clock)
    await say(poll, talker, 1 + _QUICK)
    with trio.CancelScope() as scope:
        scope.cancel()
        talker.client.send(b"kept")
        await poll.receive(talker)
    assert scope.cancelled_caught
    assert await poll.receive(talker) == b"kept"


async def test_the_end_and_a_fault_come_through(talkers: tuple[Talker, Talker, Talker]) -> None:
    for talker in talkers[:2]:
        poll = BusyPoll(60.0)
        await say(poll, talker, 1 + _QUICK)
        if talker is talkers[0]:
            talker.client.close()
            assert await poll.receive(talker) == b""
        else:
            talker.sock.shutdown(socket.SHUT_RDWR)
            talker.sock.close()
            with pytest.raises(OSError, match="Bad file descriptor"):
                await poll.receive(talker)


def test_when_it_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = ServerSettings().busy_poll_seconds
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert isinstance(getattr(receiver(seconds), "__self__", None), BusyPoll)
    assert receiver(0.0) is epoll.receive
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert receiver(seconds) is epoll.receive
    assert isinstance(getattr(receiver(0.001), "__self__", None), BusyPoll)
