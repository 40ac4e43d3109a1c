"""Connections without a task, in the epoll mode: nobody notices whether somebody has one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest
import trio
import trio.testing

from chatroom.server.serving import taskless
from tests.conftest import OpenHouse
from tests.visiting import House, open_house


@pytest.fixture
async def house(nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A room in which nobody has a task for longer than it takes."""
    monkeypatch.setattr(taskless, "REST_SECONDS", 0.005)
    house = await open_house(nursery, "epoll")
    yield house
    house.close()


@pytest.fixture
async def patient_house(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    """A room in which who has got a task keeps it."""
    monkeypatch.setattr(taskless, "REST_SECONDS", 3600)
    house = await open_house(nursery, "epoll")
    yield house
    house.close()


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


async def test_who_comes_in_has_none(patient_house: House) -> None:
    await patient_house.enter("first")
    before = tasks()
    for number in range(20):
        await patient_house.enter(f"visitor{number}")
    await patient_house.until(lambda: tasks() == before)


async def test_nor_has_a_silent_guest(patient_house: House) -> None:
    before = tasks()
    visitor = await patient_house.knock()
    assert "you are guest" in await visitor.line()
    await patient_house.until(lambda: tasks() == before)


async def test_who_talks_has_one(patient_house: House) -> None:
    alice = await patient_house.enter("alice")
    await trio.testing.wait_all_tasks_blocked(0.01)
    before = tasks()
    await alice.settle()
    await alice.settle()
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert tasks() == before + 1


async def test_and_gives_it_back_after_a_while(house: House) -> None:
    alice, bob = await house.enter("alice"), await house.enter("bob")
    assert await alice.line() == "-- bob joined"
    before = tasks()
    for number in range(5):
        await alice.say(f"{number}")
        assert await bob.line() == f"alice: {number}"
        await house.until(lambda: tasks() <= before)


async def test_half_a_line_is_kept_for_later(house: House) -> None:
    alice, bob = await house.enter("alice"), await house.enter("bob")
    assert await alice.line() == "-- bob joined"
    before = tasks()
    await alice.send(b"hel")
    await trio.sleep(0.03)  # however long it takes: what comes is the same
    await house.until(lambda: tasks() <= before)
    await alice.send(b"lo\n")
    assert await bob.line() == "alice: hello"


async def test_who_is_made_to_end_while_it_has_none_reads_why(patient_house: House) -> None:
    alice = await patient_house.enter("alice")
    await trio.testing.wait_all_tasks_blocked(0.01)
    patient_house.service.drain()
    assert (await alice.rest())[-1].startswith("-- bye (shutdown)")


async def test_who_goes_while_it_has_none_leaves(patient_house: House) -> None:
    alice, bob = await patient_house.enter("alice"), await patient_house.enter("bob")
    assert await alice.line() == "-- bob joined"  # unread bytes would make it a reset
    await trio.testing.wait_all_tasks_blocked(0.01)
    await alice.aclose()
    assert await bob.line() == "-- alice left (quit)"
    carol = await patient_house.enter("carol")
    assert await bob.line() == "-- carol joined"
    await trio.testing.wait_all_tasks_blocked(0.01)
    carol.reset()
    assert await bob.line() == "-- carol left (lost)"


async def test_who_has_not_read_everything_keeps_its_task(house: House) -> None:
    """Or else the outbox's own waiting for its socket would be disturbed."""
    deaf = await house.enter("deaf", receive_buffer_bytes=4096)
    talker = await house.enter("talker")
    await deaf.settle()
    lines = [f"{number:06}" + "x" * 900 for number in range(2000)]
    await talker.say(*lines)
    await talker.settle()
    heard: list[str] = []
    while len(heard) < len(lines):
        heard.append(await deaf.line())
    assert [line for line in heard if line.startswith("talker: ")] == [
        f"talker: {line}" for line in lines
    ][: len(heard)]


async def test_whoever_has_none_when_the_server_is_stopped_at_once_is_forgotten() -> None:
    async with trio.open_nursery() as nursery:
        house = await open_house(nursery, "epoll")
        await house.enter("alice")
        await house.enter("bob")
        await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()
    house.close()
    assert house.service.statistics().connections == 0


async def test_all_of_it_in_both_modes(open_room: OpenHouse) -> None:
    house = await open_room()
    visitors = [await house.enter(f"visitor{number}") for number in range(5)]
    async with trio.open_nursery() as nursery:
        for visitor in visitors:
            nursery.start_soon(partial(visitor.say, "hello", "/quit"))
    for visitor in visitors:
        assert (await visitor.rest())[-1].startswith("-- bye (quit)")
