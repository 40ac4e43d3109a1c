"""Readers that do not read, peers that vanish, and the drain: whoever ends, nobody else notices."""

from __future__ import annotations

import contextlib

import pytest
import trio

from chatroom.event import CloseReason
from tests.conftest import OpenHouse
from tests.visiting import PATIENCE_SECONDS, House, Visitor

#: Enough to fill what two kernels keep of a reader that has a small receive buffer.
LOUD = "x" * 1000


async def _talk_until_ended(house: House, talker: Visitor, reason: CloseReason) -> int:
    """Say numbered lines until a connection has ended so; how many it took."""
    said = 0
    with trio.fail_after(60):
        while not house.service.statistics().ended.get(reason):
            await talker.say(*(f"{said + number} {LOUD}" for number in range(50)))
            said += 50
            await talker.settle()
    return said


async def _hears_all(healthy: Visitor, *, leaver: str, reason: str) -> int:
    """Reads all the time: every line of the talker in order, up to a leave and the talker's last
    word. How many there were.
    """
    left: list[str] = []
    expected = 0
    while (line := await healthy.line()) != "talker: done":
        if line.startswith("talker: "):
            assert line == f"talker: {expected} {LOUD}"
            expected += 1
        else:
            left.append(line)
    assert left == [f"-- {leaver} left ({reason})"]
    return expected


@pytest.mark.parametrize("audience", ["plain", "json"])
async def test_a_stuck_reader_is_closed_by_size_and_the_others_miss_nothing(
    open_room: OpenHouse, audience: str
) -> None:
    house = await open_room(outbox_limit_bytes=200_000)
    stuck = await house.knock(receive_buffer_bytes=4096)
    await stuck.say("/nick stuck" if audience == "plain" else '/json {"nick":"stuck"}')
    assert await stuck.line()
    healthy = await house.enter("healthy")
    talker = await house.enter("talker")
    assert await healthy.line() == "-- talker joined"
    heard: list[int] = []

    async def hear() -> None:
        heard.append(await _hears_all(healthy, leaver="stuck", reason="slow_reader"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hear)
        said = await _talk_until_ended(house, talker, CloseReason.SLOW_READER)
        await talker.say("done")
    assert heard == [said]
    lines = await stuck.rest()
    text = "more than 200000 bytes were waiting for you to read them"
    if audience == "plain":
        assert lines[-1] == f"-- bye (slow_reader): {text}"
        assert lines[:2] == ["-- healthy joined", "-- talker joined"]
        assert lines[2:-1] == [f"talker: {number} {LOUD}" for number in range(len(lines) - 3)]
    else:
        assert lines[-1] == f'{{"kind":"bye","reason":"slow_reader","text":"{text}"}}'


async def test_a_stuck_reader_is_closed_at_its_deadline(open_room: OpenHouse) -> None:
    house = await open_room(write_deadline_seconds=0.2)
    stuck = await house.enter("stuck", receive_buffer_bytes=4096)
    talker = await house.enter("talker")
    await talker.say(*[LOUD] * 3900)
    await house.until(lambda: bool(house.service.statistics().ended))
    lines = await stuck.rest()
    assert lines[-1] == "-- bye (slow_reader): you did not read for 0.2 seconds"
    await talker.say("/who")
    assert await talker.lines(3) == [
        "-- stuck left (slow_reader)",
        "-- 1 here:",
        "--   talker",
    ]


async def _fill(talker: Visitor) -> None:
    """Say more than two kernels keep of a reader, and less than an outbox does."""
    await talker.say(*[LOUD] * 3900)
    await talker.settle()


async def test_reading_a_byte_a_second_is_not_reading(open_room: OpenHouse) -> None:
    house = await open_room(write_deadline_seconds=0.3)
    dripping = await house.enter("drip", receive_buffer_bytes=4096)
    talker = await house.enter("talker")
    await _fill(talker)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_drip, dripping)
        await house.until(lambda: bool(house.service.statistics().ended))
        nursery.cancel_scope.cancel()
    assert house.service.statistics().ended == {CloseReason.SLOW_READER: 1}


async def _drip(visitor: Visitor) -> None:
    while True:
        await visitor.stream.receive_some(1)
        await trio.sleep(0.01)


async def test_a_slow_reader_that_catches_up_in_time_stays(open_room: OpenHouse) -> None:
    house = await open_room(write_deadline_seconds=5)
    slow = await house.enter("slow", receive_buffer_bytes=4096)
    talker = await house.enter("talker")
    await _fill(talker)
    assert await slow.line() == "-- talker joined"
    for _ in range(3900):
        assert await slow.line() == f"talker: {LOUD}"
    await slow.say("/ping")
    assert await slow.line() == "-- pong"
    assert not house.service.statistics().ended


@pytest.mark.parametrize("talking", [False, True])
async def test_a_peer_that_vanishes_is_lost(open_room: OpenHouse, talking: bool) -> None:
    house = await open_room()
    ghost = await house.enter("ghost", receive_buffer_bytes=4096)
    talker = await house.enter("talker")
    if talking:  # the server is in the middle of sending to it
        await _fill(talker)
    ghost.reset()
    assert await talker.line() == "-- ghost left (lost)"
    assert house.service.statistics().ended == {CloseReason.LOST: 1}


async def test_a_client_that_closes_in_good_order_has_quit(house: House) -> None:
    leaver = await house.enter("leaver")
    talker = await house.enter("talker")
    assert await leaver.line() == "-- talker joined"
    await leaver.aclose()
    await talker.say("hello")
    assert await talker.line() == "-- leaver left (quit)"


async def test_a_protocol_error_ends_a_talker_that_goes_on(house: House) -> None:
    flood = await house.enter("flood")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_flood, flood, b"x" * 65536)
        assert await flood.rest() == [
            "-- bye (protocol_error): a line has more than 8192 bytes and no end"
        ]
        await house.until(lambda: house.service.statistics().connections == 0)
        nursery.cancel_scope.cancel()


async def _flood(visitor: Visitor, chunk: bytes) -> None:
    try:
        while True:
            await visitor.stream.send_all(chunk)
    except trio.BrokenResourceError:
        pass


async def test_the_drain_delivers_what_was_accepted_and_says_bye_to_all(house: House) -> None:
    alice = await house.enter("alice")
    bob = await house.enter_json("bob")
    lobby = await house.knock()
    await alice.say("/ping")
    assert await alice.lines(2) == ["-- bob joined", "-- pong"]
    await bob.say(*({"kind": "message", "text": f"m{n}", "id": str(n)} for n in range(100)))
    assert [(await bob.object())["id"] for _ in range(100)] == [str(n) for n in range(100)]
    house.service.drain()
    assert await alice.rest() == [
        *(f"bob: m{n}" for n in range(100)),
        "-- bye (shutdown): the server is going down",
    ]
    bye = '{"kind":"bye","reason":"shutdown","text":"the server is going down"}'
    assert await bob.rest() == [bye]
    assert (await lobby.rest())[-1] == "-- bye (shutdown): the server is going down"
    gone = (OSError, trio.BrokenResourceError)
    with trio.fail_after(PATIENCE_SECONDS), contextlib.suppress(*gone):
        while True:  # until nobody listens any more, who comes is told
            late = await house.knock()
            assert await late.rest() in ([], ["-- bye (shutdown): the server is going down"])


async def test_a_talker_that_never_pauses_does_not_hold_the_drain_up(house: House) -> None:
    flood = await house.enter("flood")
    alice = await house.enter("alice")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_flood, flood, b"hello\n" * 2000)
        assert await alice.line() == "flood: hello"
        house.service.drain()
        rest = await alice.rest()
        assert rest[-1] == "-- bye (shutdown): the server is going down"
        assert "-- bye (shutdown): the server is going down" in await flood.rest()
        nursery.cancel_scope.cancel()


async def test_the_drain_waits_for_a_stuck_reader_no_longer_than_the_grace(
    open_room: OpenHouse,
) -> None:
    house = await open_room(grace_seconds=0.2)
    await house.enter("stuck", receive_buffer_bytes=4096)
    talker = await house.enter("talker")
    await _fill(talker)
    started = trio.current_time()
    house.service.drain()
    assert (await talker.rest())[-1] == "-- bye (shutdown): the server is going down"
    await house.until(lambda: house.service.statistics().connections == 0)
    assert trio.current_time() - started < 10


async def test_who_comes_during_the_drain_is_told_so_and_health_says_why(
    open_room: OpenHouse,
) -> None:
    house = await open_room(grace_seconds=PATIENCE_SECONDS)
    stuck = await house.enter("stuck", receive_buffer_bytes=4096)
    talker = await house.enter("talker")
    await _fill(talker)
    health = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    prober = await house.knock()  # keeps its connection
    await prober.send(health)
    assert (await prober.line()).startswith("HTTP/1.1 200 ")
    house.service.drain()
    assert (await talker.rest())[-1] == "-- bye (shutdown): the server is going down"
    prober = await house.knock()
    await prober.send(health)
    assert (await prober.line()).startswith("HTTP/1.1 503 ")
    while (line := await prober.line()) != "\r":
        assert line
    assert await prober.line() == '{"status":"draining"}'
    for first in ("/nick late", "hello"):
        late = await house.knock()
        await late.say(first)
        assert await late.rest() == ["-- bye (shutdown): the server is going down"]
    assert (await stuck.rest())[-1] == "-- bye (shutdown): the server is going down"
    await house.until(lambda: house.service.statistics().connections == 0)
