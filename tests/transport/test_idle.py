"""Those who say nothing: heard of once, when there is something to be read."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import trio
import trio.testing

from chatroom.transport.idle import Idle

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


class _Watched:
    """An `Idle` at work, and whom it has awoken."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.idle: Idle[str] = Idle()
        self.awoken: list[str] = []
        self.removes = True  # who has been awoken
        nursery.start_soon(self.idle.run, self._awake)

    def _awake(self, whose: str) -> None:
        self.awoken.append(whose)
        if self.removes:
            self.idle.remove(self.sock.fileno())

    def add(self, sock: socket.socket, whose: str) -> None:
        self.sock = sock
        self.idle.add(sock.fileno(), whose)

    async def look(self) -> list[str]:
        """Who was awoken since the last look."""
        await trio.testing.wait_all_tasks_blocked(0.01)
        awoken = self.awoken.copy()
        self.awoken.clear()
        return awoken


@pytest.fixture
async def watched() -> AsyncIterator[_Watched]:
    async with trio.open_nursery() as nursery:
        watched = _Watched(nursery)
        yield watched
        nursery.cancel_scope.cancel()
    watched.idle.close()


async def test_each_is_heard_of_once(watched: _Watched, pair: Pair) -> None:
    here, there = pair
    watched.add(here, "alice")
    assert await watched.look() == []
    there.send(b"hi")
    assert await watched.look() == ["alice"]
    there.send(b"again")
    assert await watched.look() == []
    watched.add(here, "alice")  # and of what had come before
    assert await watched.look() == ["alice"]


async def test_who_stays_is_heard_of_until_it_has_been_read(watched: _Watched, pair: Pair) -> None:
    here, there = pair
    watched.removes = False
    watched.add(here, "alice")
    watched.add(here, "alice")  # which changes nothing
    there.send(b"hi")
    while len(watched.awoken) < 3:
        await trio.lowlevel.checkpoint()
    here.recv(2)
    await watched.look()
    assert await watched.look() == []
    there.send(b"again")
    while not watched.awoken:
        await trio.lowlevel.checkpoint()
    assert watched.idle.remove(here.fileno())


async def test_a_peer_that_goes_is_heard_of(watched: _Watched, pair: Pair) -> None:
    here, there = pair
    watched.add(here, "alice")
    there.shutdown(socket.SHUT_WR)
    assert await watched.look() == ["alice"]


async def test_who_is_removed_is_not(watched: _Watched, pair: Pair) -> None:
    here, there = pair
    watched.add(here, "alice")
    assert watched.idle.remove(here.fileno())
    there.send(b"hi")
    assert await watched.look() == []
    assert not watched.idle.remove(here.fileno())


async def test_who_is_removed_by_an_earlier_one_of_the_same_round_is_not(pair: Pair) -> None:
    here, there = pair
    idle: Idle[str] = Idle()
    awoken: list[str] = []

    def awake(whose: str) -> None:
        awoken.append(whose)
        idle.remove(here.fileno())
        idle.remove(there.fileno())

    for sock in pair:
        idle.add(sock.fileno(), "either")
        sock.send(b"hi")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(idle.run, awake)
        await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()
    assert awoken == ["either"]
    idle.close()


async def test_in_the_end_those_are_left_who_said_nothing(pair: Pair) -> None:
    here, there = pair
    idle: Idle[str] = Idle()
    idle.add(here.fileno(), "alice")
    idle.add(there.fileno(), "bob")
    assert idle.close() == ["alice", "bob"]
    assert not idle.remove(here.fileno())
