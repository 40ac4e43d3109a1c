"""The same feed on two groups, A and B: what comes first is taken, as on an exchange."""

from __future__ import annotations

from collections.abc import AsyncIterator
from math import inf
from random import Random

import pytest
import trio

import chatroom
from chatroom.client.feed.listening import _places
from chatroom.event import Event
from chatroom.feed.broadcast import Feed
from chatroom.feed.ends import Ends
from chatroom.feed.group import Group
from chatroom.feed.line import WantedLine
from chatroom.feed.listener import Listener, ListenOptions, Place, Wanted, open_listener
from chatroom.feed.reassembly import Reassembly, Request, SessionBegan, SessionEnded
from chatroom.feed.stream import Delivered
from chatroom.protocol import moldudp64 as mold
from tests.feed.live import PATIENCE_SECONDS, open_feed, say
from tests.feed.relay import Relay, lossy
from tests.feed.simulation import Network, Simulation
from tests.ports import free_port

SESSION = b"K3F9A2QZ01"
A, B = 0, 1
AT_A, AT_B, STRANGER = ("10.0.0.1", 5), ("10.1.0.1", 5), ("10.0.0.66", 5)


class Lines:
    """Two networks that lose a part of what the feed sends, each by its own chance."""

    def __init__(self, feed: Feed, port: int, seed: int) -> None:
        source = feed.group
        self.scopes = [trio.CancelScope(), trio.CancelScope()]
        self.relays = [
            Relay(
                source,
                feed.request_port,
                Group(f"239.255.90.{20 + number}", port + 3 + 2 * number, "127.0.0.1"),
                lossy(Random(seed + number), loss=0.1),
            )
            for number in (A, B)
        ]

    async def run(self, number: int) -> None:
        with self.scopes[number]:
            await self.relays[number].run()

    @property
    def places(self) -> list[Place]:
        groups = [relay.target for relay in self.relays]
        return [Place(group.address, group.port) for group in groups]


@pytest.fixture
async def feed(nursery: trio.Nursery) -> AsyncIterator[Feed]:
    yield await open_feed(nursery, free_port())
    nursery.cancel_scope.cancel()


async def _hear(listener: Listener, last: int) -> list[int]:
    """All numbers up to the last one, as they come."""
    numbers: list[int] = []
    with trio.fail_after(PATIENCE_SECONDS):
        async for event in listener:
            if isinstance(event, SessionBegan):
                continue
            assert isinstance(event, Event)
            numbers.append(event.seq)
            if event.seq == last:
                return numbers
    raise AssertionError


async def _say_slowly(feed: Feed, first: int, count: int) -> None:
    """As fast as relays in this process pass on."""
    for seq in range(first, first + count, 10):
        say(feed, seq, 10)
        await trio.sleep(0.002)


@pytest.mark.parametrize(("lines", "per_cent"), [(1, 10), (2, 1)])
def test_a_tenth_lost_on_each_leaves_a_hundredth_to_ask_for(lines: int, per_cent: float) -> None:
    network = Network(loss=0.1, longest_delay_seconds=0.0005)
    random = Random(7)
    simulated = Simulation(network, Reassembly(1, random), random, lines=lines)
    for number in range(5000):
        simulated.at(number * 0.01, lambda: simulated.send(1))
    simulated.run(60)
    assert simulated.check(1, 5000) == []
    asked_for = simulated.listener.statistics.repaired
    assert asked_for / 5000 == pytest.approx(per_cent / 100, rel=0.2)


async def test_nothing_is_lost_when_one_of_them_dies(nursery: trio.Nursery, feed: Feed) -> None:
    lines = Lines(feed, feed.group.port, seed=5)
    for number in (A, B):
        nursery.start_soon(lines.run, number)
    async with open_listener(ListenOptions(start=1), lines.places) as listener:
        nursery.start_soon(_say_slowly, feed, 1, 1000)
        numbers = await _hear(listener, 500)
        lines.scopes[A].cancel()
        numbers += await _hear(listener, 1000)
        nursery.start_soon(_say_slowly, feed, 1001, 500)
        numbers += await _hear(listener, 1500)
        counts = listener.statistics
    assert numbers == list(range(1, 1501))
    assert counts.lost == 0


def test_the_servers_say_which_groups_unless_they_are_given() -> None:
    said = [Place("239.1.1.1", 1, 2), Place("239.1.1.2", 3, 4)]
    assert _places(said, None, None) == said
    assert _places([said[0], said[0]], None, None) == said[:1]
    given = [("239.2.2.1", None), ("239.2.2.2", 9)]
    assert _places(said, given, None) == [Place("239.2.2.1", 1, 2), Place("239.2.2.2", 9, 4)]
    assert _places(said[:1], given, 7) == [Place("239.2.2.1", 7, 2), Place("239.2.2.2", 9, 2)]


async def test_groups_of_two_versions_of_ip_are_refused() -> None:
    with pytest.raises(ValueError, match="one version of IP"):
        async with chatroom.listen(["239.255.90.9:9010", "[ff15::9009]:9010"]):
            pass


def _packet(sequence: int, *messages: bytes) -> bytes:
    blocks = [mold.block(message) for message in messages]
    (packet,) = mold.packets(SESSION, sequence, blocks, 1400)
    return packet


def _begun() -> Reassembly:
    """Something that has heard the first message on both lines; it is 0."""
    listener = Reassembly(1, Random(1))
    listener.receive(_packet(1, b"one"), 0, AT_A, A)
    listener.receive(_packet(1, b"one"), 0, AT_B, B)
    assert listener.take_outcomes() == [SessionBegan("K3F9A2QZ01", 1), Delivered(1, b"one")]
    return listener


def test_what_comes_first_is_delivered_once_whichever_line_it_is_on() -> None:
    listener = _begun()
    assert listener.receive(_packet(2, b"two"), 0.1, AT_B, B)
    assert listener.receive(_packet(2, b"two"), 0.2, AT_A, A)
    listener.receive(_packet(4, b"four"), 0.3, AT_A, A)
    listener.receive(_packet(3, b"three"), 0.3, AT_B, B)
    delivered = [Delivered(2, b"two"), Delivered(3, b"three"), Delivered(4, b"four")]
    assert listener.take_outcomes() == delivered
    assert listener.statistics.requests == 0


def test_on_each_line_nobody_but_its_source_is_believed() -> None:
    listener = _begun()
    assert not listener.receive(_packet(2, b"forged"), 0.1, STRANGER, B)
    assert not listener.receive(_packet(2, b"forged"), 0.1, AT_A, B)
    assert listener.take_outcomes() == []
    assert listener.receive(_packet(2, b"two"), 0.2, AT_B, B)
    assert listener.take_outcomes() == [Delivered(2, b"two")]


def test_a_line_that_is_behind_contradicts_nothing() -> None:
    listener = _begun()
    listener.receive(_packet(3, b"three"), 1.0, AT_A, A)
    for now in (1.2, 1.4, 1.6):
        listener.receive(mold.heartbeat(SESSION, 4), now, AT_A, A)
        listener.receive(mold.heartbeat(SESSION, 2), now, AT_B, B)
        assert listener.poll(now)
    listener.receive(_packet(2, b"two"), 1.7, AT_B, B)
    assert listener.take_outcomes() == [Delivered(2, b"two"), Delivered(3, b"three")]


def test_a_server_that_ends_alone_ends_no_session() -> None:
    listener = _begun()
    listener.receive(mold.end_of_session(SESSION, 2), 1.0, AT_A, A)
    assert listener.take_outcomes() == []
    listener.receive(_packet(2, b"two"), 1.1, AT_B, B)
    assert listener.take_outcomes() == [Delivered(2, b"two")]
    listener.receive(mold.end_of_session(SESSION, 3), 1.2, AT_B, B)
    assert listener.take_outcomes() == [SessionEnded("K3F9A2QZ01", 3)]


def _on_one_group() -> Reassembly:
    """Something that has heard the first message of two servers on one line; it is 0."""
    listener = Reassembly(1, Random(1))
    listener.receive(_packet(1, b"one"), 0, AT_A)
    listener.receive(_packet(1, b"one"), 0, AT_B)
    assert listener.take_outcomes() == [SessionBegan("K3F9A2QZ01", 1), Delivered(1, b"one")]
    return listener


def test_one_of_two_servers_on_a_group_ends_no_session() -> None:
    listener = _on_one_group()
    listener.receive(mold.end_of_session(SESSION, 2), 0.1, AT_A)
    for tenths in range(2, 60):
        now = tenths / 10
        listener.receive(mold.heartbeat(SESSION, 2), now, AT_B)
        assert not listener.receive(mold.heartbeat(b"STRANGER00", 1), now, STRANGER)
        listener.poll(now)
    assert listener.take_outcomes() == []
    assert listener.receive(_packet(2, b"two"), 6, AT_B)
    assert listener.take_outcomes() == [Delivered(2, b"two")]
    listener.receive(mold.end_of_session(SESSION, 3), 6.1, AT_B)
    assert listener.take_outcomes() == [SessionEnded("K3F9A2QZ01", 3)]


def test_an_end_counts_when_the_other_server_on_the_group_has_said_it_too() -> None:
    listener = _on_one_group()
    listener.receive(mold.end_of_session(SESSION, 2), 0.1, AT_A)
    listener.receive(mold.end_of_session(SESSION, 2), 0.2, AT_B)
    assert listener.take_outcomes() == [SessionEnded("K3F9A2QZ01", 2)]


def test_an_end_counts_when_the_other_server_falls_silent_though_nothing_comes() -> None:
    listener = _on_one_group()
    listener.receive(mold.end_of_session(SESSION, 2), 1, AT_A)
    listener.receive(mold.heartbeat(SESSION, 2), 1.5, AT_B)
    assert listener.deadline == 2.5
    listener.poll(2.5)
    assert listener.deadline == 4
    listener.poll(3.9)
    assert listener.take_outcomes() == []
    listener.poll(4)
    assert listener.take_outcomes() == [SessionEnded("K3F9A2QZ01", 2)]
    assert listener.deadline == inf


def test_an_end_that_one_of_two_says_is_not_weighed_with_all_that_the_other_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weighed: list[float] = []
    weigh = Ends.weigh

    def note(ends: Ends, now: float) -> None:
        weighed.append(now)
        weigh(ends, now)

    monkeypatch.setattr(Ends, "weigh", note)
    listener = _on_one_group()
    listener.receive(mold.end_of_session(SESSION, 2), 0.1, AT_A)
    for tenths in range(2, 50):
        listener.receive(mold.heartbeat(SESSION, 2), tenths / 10, AT_B)
    assert len(weighed) <= 4
    assert listener.take_outcomes() == []
    listener.receive(mold.end_of_session(SESSION, 2), 5, AT_B)
    assert listener.take_outcomes() == [SessionEnded("K3F9A2QZ01", 2)]


def test_those_who_speak_in_a_sessions_name_are_counted_up_to_a_limit() -> None:
    listener = _on_one_group()
    for host in range(1000):
        listener.receive(mold.heartbeat(SESSION, 2), 0.1, (f"10.9.0.{host}", 5))
    assert len(listener._ends._others) == 16


def test_an_end_counts_when_the_other_line_is_silent() -> None:
    listener = _begun()
    listener.receive(mold.heartbeat(SESSION, 2), 4.0, AT_A, A)
    listener.receive(mold.end_of_session(SESSION, 2), 4.1, AT_A, A)
    assert listener.take_outcomes() == [SessionEnded("K3F9A2QZ01", 2)]


def test_where_to_ask_may_be_known_before_anything_is_heard() -> None:
    groups = [Group("239.255.90.9", free_port(), "127.0.0.1") for _ in range(2)]
    places = [("127.0.0.1", 7), ("127.0.0.1", 8)]
    lines = [WantedLine(group, place) for group, place in zip(groups, places, strict=True)]
    listener = Listener(Wanted(lines))
    try:
        assert len(listener._targets(Request(b"", 1))) == 1
        listener._lines[B].hear(AT_B, 1)
        assert listener._targets(Request(b"", 1)) == places[1:]
        assert listener._targets(Request(b"", 2)) == places
    finally:
        listener.close()


def test_who_was_heard_last_is_asked_and_when_no_answer_comes_all_are() -> None:
    ports = [free_port(), free_port()]
    groups = [Group("239.255.90.9", port, "127.0.0.1") for port in ports]
    listener = Listener(Wanted([WantedLine(group) for group in groups]))

    def asked(tries: int) -> list[int]:
        return [port - 1 for _, port in listener._targets(Request(b"", tries))]

    try:
        assert asked(1) == asked(2) == []
        listener._lines[A].hear(("127.0.0.1", 1), 0)
        assert asked(1) == asked(2) == ports[:1]
        listener._lines[B].hear(("127.0.0.1", 2), 2)
        assert asked(1) == ports[1:]
        assert asked(2) == ports
        listener._lines[A].hear(("127.0.0.1", 1), 3)
        assert asked(1) == ports[:1]
    finally:
        listener.close()
