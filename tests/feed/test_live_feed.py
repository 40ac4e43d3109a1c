"""The feed of a running room, in both modes, over real multicast on loopback."""

from __future__ import annotations

import socket
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import trio

from chatroom import listen
from chatroom.errors import ChatroomError
from chatroom.event import Event
from chatroom.feed.answering import EACH_SOURCE, Answering, Fate
from chatroom.feed.broadcast import Feed
from chatroom.feed.group import Group
from chatroom.feed.listener import Listener
from chatroom.feed.reassembly import SessionBegan, SessionEnded
from chatroom.feed.store import BlockStore
from chatroom.feed.stream import Lost
from chatroom.journal.memory import MemoryJournal
from chatroom.protocol import moldudp64 as mold
from chatroom.settings import DEFAULT_GROUP, FeedSettings
from tests.feed.live import event, open_feed, say
from tests.feed.relay import Relay, lossy
from tests.ports import free_port

if TYPE_CHECKING:
    from tests.conftest import OpenHouse
    from tests.visiting import House

#: Whoever waits longer than this has found a bug.
PATIENCE_SECONDS = 30


@pytest.fixture
async def house(open_room: OpenHouse) -> House:
    return await open_room(feed=FeedSettings())


async def texts(feed: Listener, count: int) -> list[str]:
    """The texts of the next `count` messages; whatever else happens is passed over."""
    found: list[str] = []
    with trio.fail_after(PATIENCE_SECONDS):
        while len(found) < count:
            item = await anext(feed)
            assert not isinstance(item, Lost)
            if isinstance(item, Event) and item.kind == "message":
                found.append(item.text)
    return found


async def multicast_of(house: House) -> dict[str, Any]:
    visitor = await house.knock()
    await visitor.say('/json {"nick":"asker"}')
    found: dict[str, Any] = (await visitor.object())["multicast"]
    await visitor.aclose()
    return found


async def test_every_event_reaches_the_group_as_tcp_has_it(house: House) -> None:
    reader = await house.knock()
    await reader.say('/json {"nick":"reader"}')
    welcome = await reader.object()
    assert welcome["multicast"] == {
        "group": DEFAULT_GROUP,
        "port": house.service.port + 1,
        "request_port": welcome["multicast"]["request_port"],
    }
    talker = await house.knock()
    async with listen(port=house.service.port + 1) as feed:
        await talker.say("/nick bob", "hello", "/me waves", "/nick bert", "ça va?", "/quit")
        expected = [await reader.object() for _ in range(6)]
        found: list[Event] = []
        with trio.fail_after(PATIENCE_SECONDS):
            while len(found) < 6:
                item = await anext(feed)
                if isinstance(item, Event):
                    found.append(item)

    assert [event.seq for event in found] == [event["seq"] for event in expected]
    assert [(e.kind, e.nick, e.text, e.to, e.reason, e.time) for e in found] == [
        (
            e["kind"],
            e["nick"],
            e.get("text", ""),
            e.get("to", ""),
            e.get("reason", ""),
            e["time"],
        )
        for e in expected
    ]


async def test_a_late_listener_gets_all_that_is_kept(house: House) -> None:
    talker = await house.knock()
    said = [f"number {n}" for n in range(500)]
    await talker.say("/nick bob", *said)
    await talker.settle()
    where = await multicast_of(house)

    request = f"127.0.0.1:{where['request_port']}"
    async with listen(port=where["port"], request=request, start=1) as feed:
        assert await texts(feed, 500) == said
        assert feed.statistics.lost == 0


async def test_what_memory_no_longer_keeps_comes_from_the_journal(open_room: OpenHouse) -> None:
    house = await open_room(feed=FeedSettings(keep=10))
    talker = await house.knock()
    said = [f"number {n}" for n in range(300)]
    await talker.say("/nick bob", *said)
    await talker.settle()
    where = await multicast_of(house)

    request = f"127.0.0.1:{where['request_port']}"
    async with listen(port=where["port"], request=request, start=1) as feed:
        assert await texts(feed, 300) == said


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_tenth_lost_and_a_tenth_doubled_and_nothing_is_missing(
    house: House, nursery: trio.Nursery, seed: int
) -> None:
    where = await multicast_of(house)
    source = Group(where["group"], where["port"], "127.0.0.1")
    target = Group("239.255.90.10", where["port"] + 1000, "127.0.0.1")
    fate = lossy(Random(seed), loss=0.1, duplication=0.1)
    relay = Relay(source, where["request_port"], target, fate)
    nursery.start_soon(relay.run)
    talker = await house.knock()
    await talker.say("/nick bob")
    async with listen(relay.target.address, relay.target.port) as feed:
        await talker.say("begin")
        while "begin" not in await texts(feed, 1):
            pass
        said = [f"number {n}" for n in range(300)]
        for text in said:
            await talker.say(text)
            await talker.settle()
        assert await texts(feed, 300) == said
        counts = feed.statistics
        assert counts.repaired > 0
        assert counts.lost == 0
        assert counts.requests <= 3 * counts.repaired
    nursery.cancel_scope.cancel()


async def test_the_end_of_a_session_is_told_while_requests_are_still_served(
    house: House,
) -> None:
    talker = await house.knock()
    await talker.say("/nick bob", "hello")
    await talker.settle()
    where = await multicast_of(house)
    async with listen(port=where["port"]) as feed:
        with trio.fail_after(PATIENCE_SECONDS):
            began = await anext(feed)
            house.service.drain()
            while not isinstance(ended := await anext(feed), SessionEnded):
                pass
    assert isinstance(began, SessionBegan)
    assert ended.session == began.session == house.journal.session


async def test_a_flood_of_forged_requests_is_answered_up_to_the_limit_and_the_room_goes_on(
    house: House,
) -> None:
    talker = await house.knock()
    await talker.say("/nick bob", *["x" * 1000] * 20)
    await talker.settle()
    where = await multicast_of(house)
    session = house.journal.session.encode()
    random = Random(4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        flood.setblocking(False)
        flood.connect(("127.0.0.1", where["request_port"]))
        begin = trio.current_time()
        answers = 0
        for number in range(300):
            for _ in range(20):
                flood.send(random.randbytes(random.randrange(30)))
                flood.send(mold.request(session, random.randrange(2**64), random.randrange(2**16)))
                flood.send(mold.request(session, 1 + number % 20, 0xFFFF))
            await talker.settle()
            try:
                while len(answer := flood.recv(65536)) <= 1452:
                    assert mold.decode_packet(answer).messages
                    answers += 1
            except BlockingIOError:
                pass
        seconds = trio.current_time() - begin
    assert 0 < answers <= EACH_SOURCE.burst + EACH_SOURCE.per_second * seconds


async def test_what_was_sent_and_asked_for_is_counted() -> None:
    async with trio.open_nursery() as nursery:
        feed = await open_feed(nursery, free_port())
        session = feed._history.session.encode()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.bind(("127.0.0.1", 0))
            asker.settimeout(PATIENCE_SECONDS)
            before = feed.statistics()  # a heartbeat, perhaps
            say(feed, 1, 3)
            sent = feed.statistics()
            assert (sent.packets - before.packets, sent.send_failures, sent.requests) == (3, 0, 0)
            messages = [event(seq, f"{seq} ".ljust(10, "x")) for seq in (1, 2, 3)]
            assert sent.bytes - before.bytes == sum(22 + len(message) for message in messages)
            where = ("127.0.0.1", feed.request_port)
            for datagram in (
                b"no request",
                mold.request(b"ANOTHER000", 1, 1),
                mold.request(session, 9, 1),
                mold.request(session, 1, 3),
            ):
                asker.sendto(datagram, where)
            answer = await trio.to_thread.run_sync(asker.recv, 65536)
        assert len(mold.decode_packet(answer).messages) == 3
        counted = feed.statistics()
        assert (counted.requests, counted.answers) == (4, 1)
        assert counted.refusals == {"malformed": 1, "wrong_session": 1, "not_yet": 1}
        nursery.cancel_scope.cancel()


def test_an_answer_that_could_not_be_sent_is_none() -> None:
    store = BlockStore(10, 1000, next_sequence=1)
    store.extend(1, [mold.block(b"hello")])
    answering = Answering(b"K3F9A2QZ01", store, 1452, now=0.0)
    assert answering.answer(mold.request(b"K3F9A2QZ01", 1, 1), "a", 0.0)

    answering.not_sent()

    assert +answering.fates == {Fate.FAILED: 1}


async def test_a_taken_request_port_is_refused_with_a_line_or_another_is_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        journal = MemoryJournal(10)
        settings = FeedSettings(request_port=port)
        with pytest.raises(ChatroomError, match="--multicast-request-port"):
            Feed(settings, 9009, journal, 0)
        settings = FeedSettings(port=port - 1, any_request_port=True)
        feed = Feed(settings, 9009, journal, 0)
        assert feed.request_port not in (0, port)
        feed.close()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (FeedSettings(interface="no-such-0"), "no interface with this name"),
        (FeedSettings(interface="192.0.2.77"), "--multicast-interface"),
        (FeedSettings(interface="::1"), "IP version"),
        (FeedSettings(port=65535), "--multicast-request-port"),
        (FeedSettings(datagram_bytes=65507 + 1), "at most"),
    ],
)
async def test_what_cannot_work_is_refused_with_a_line(settings: FeedSettings, said: str) -> None:
    with pytest.raises(ChatroomError, match=said):
        Feed(settings, 9009, MemoryJournal(10), 0)


async def test_another_session_begins_without_anything_being_missed(
    nursery: trio.Nursery,
) -> None:
    port = free_port()
    feed = await open_feed(nursery, port)
    async with listen(DEFAULT_GROUP, port) as listener:
        say(feed, 1, 2)
        items = [await anext(listener) for _ in range(3)]
        feed.begin_session("ANOTHERONE", 1_000_001)
        say(feed, 1_000_001, 2)
        with trio.fail_after(PATIENCE_SECONDS):
            items += [await anext(listener) for _ in range(3)]
    assert [item.seq for item in items if isinstance(item, Event)] == [1, 2, 1_000_001, 1_000_002]
    began = [item for item in items if isinstance(item, SessionBegan)]
    assert (began[-1].session, began[-1].sequence) == ("ANOTHERONE", 1_000_001)


async def test_what_seals_a_session_sealed_none_before_it(nursery: trio.Nursery) -> None:
    feed = Feed(FeedSettings(port=free_port()), 0, MemoryJournal(10), 0, sealed=True)
    before = feed.where(private=True)
    feed.begin_session("ANOTHERONE", 1_000_001)
    after = feed.where(private=True)
    assert {before.key, before.next_key}.isdisjoint({after.key, after.next_key})
    feed.close()


async def test_nothing_of_a_session_is_told_in_the_name_of_the_next(nursery: trio.Nursery) -> None:
    history = Slow([Event(1, "2026-11-22T13:17:42.123456Z", "message", "bob", "old")])
    feed = Feed(FeedSettings(port=free_port(), keep=1), 0, history, 0)
    await nursery.start(feed.run)
    say(feed, 1, 2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.sendto(
            mold.request(history.session.encode(), 1, 1), ("127.0.0.1", feed.request_port)
        )
        with trio.fail_after(PATIENCE_SECONDS):
            await history.asked.wait()
        feed.begin_session("ANOTHERONE", 3)
        asking.sendto(mold.request(b"ANOTHERONE", 2, 1), ("127.0.0.1", feed.request_port))
        history.answers.set()
        with trio.fail_after(PATIENCE_SECONDS):
            while sum(feed.statistics().refusals.values()) < 2:  # noqa: ASYNC110 - asked, not told
                await trio.sleep(0.01)
        assert feed.statistics().refusals == {Fate.WRONG_SESSION: 1, Fate.NOT_KEPT: 1}
        assert feed.statistics().answers == 0
    nursery.cancel_scope.cancel()


class Slow:
    """A history that waits before it answers the first time, and has nothing afterwards."""

    session = "K3F9A2QZ01"

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self.asked, self.answers = trio.Event(), trio.Event()

    async def after(self, seq: int, limit: int) -> Any:
        self.asked.set()
        await self.answers.wait()
        events, self._events = self._events, []
        return SimpleNamespace(events=events)
