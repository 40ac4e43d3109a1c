"""The log away, lost in part, or cut off from one server: what clients are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from chatroom.room.commands import Command, Impose, Moderate, Mute, Own, Topic
from chatroom.room.role import Role
from chatroom.settings import CLUSTER_PATIENCE_SECONDS

if TYPE_CHECKING:
    from chatroom.order.replica import Replica
    from tests.cluster.conftest import OpenServer
    from tests.shared_log import MemoryStore
    from tests.visiting import Visitor

STEP_SECONDS = 0.25


@pytest.fixture
def mock_clock() -> MockClock:
    return MockClock(rate=1.0)


async def let_pass(clock: MockClock, seconds: float) -> None:
    """Time passes in small steps, and everybody does what is due."""
    for _ in range(int(seconds / STEP_SECONDS)):
        clock.jump(STEP_SECONDS)
        await wait_all_tasks_blocked(0.002)


async def until_kind(visitor: Visitor, kind: str) -> dict[str, Any]:
    """The next object of that kind; others are passed over."""
    while (found := await visitor.object())["kind"] != kind:
        pass
    return found


@pytest.mark.parametrize("mode", ["epoll", "thread"])
async def test_whose_server_was_held_for_gone_is_back_when_it_is(
    mock_clock: MockClock, open_server: OpenServer, mode: str
) -> None:
    a, b = await open_server("a", mode=mode), await open_server("b")
    alice, bob = await a.enter_json("alice"), await b.enter_json("bob")
    a.line.pause()
    await let_pass(mock_clock, 7.5)
    a.line.go_on()
    left = await until_kind(bob, "leave")
    assert (left["nick"], left["reason"]) == ("alice", "lost")
    assert (await bob.object())["kind"] == "join"
    await alice.say({"kind": "message", "text": "here again", "id": "1"})
    assert (await until_kind(bob, "message"))["nick"] == "alice"
    assert (await until_kind(alice, "ack"))["id"] == "1"
    assert a.service.room.nicks(0, 9) == b.service.room.nicks(0, 9) == ["alice", "bob"]


async def test_what_was_on_its_way_is_refused_and_nobody_waits_for_ever(
    mock_clock: MockClock, open_server: OpenServer
) -> None:
    a, b = await open_server("a"), await open_server("b")
    alice, bob = await a.enter_json("alice"), await b.enter_json("bob")
    a.line.pause()
    await alice.say({"kind": "message", "text": "too late", "id": "1"})
    await let_pass(mock_clock, 7.5)
    await until_kind(bob, "leave")
    a.line.go_on()
    await let_pass(mock_clock, 1)
    error = await until_kind(alice, "error")
    assert (error["code"], error["id"]) == ("unavailable", "1")
    await until_kind(bob, "join")
    await bob.say({"kind": "message", "text": "fine", "id": "2"})
    assert (await bob.object())["kind"] == "ack"
    assert (await until_kind(alice, "message"))["text"] == "fine"


async def test_whose_nick_is_taken_meanwhile_is_told(
    mock_clock: MockClock, open_server: OpenServer
) -> None:
    a, b = await open_server("a"), await open_server("b")
    alice, bob = await a.enter_json("alice"), await b.enter_json("bob")
    a.line.pause()
    await let_pass(mock_clock, 7.5)
    await until_kind(bob, "leave")
    await b.enter_json("alice")
    a.line.go_on()
    await let_pass(mock_clock, 1)
    assert (await until_kind(alice, "error"))["code"] == "nick_taken"
    assert (await until_kind(alice, "bye"))["reason"] == "lost"


async def test_a_killed_servers_members_leave_once(
    mock_clock: MockClock, open_server: OpenServer
) -> None:
    a, b = await open_server("a"), await open_server("b")
    await a.enter_json("alice")
    bob = await b.enter_json("bob")
    a.kill()
    await let_pass(mock_clock, 7)
    left = await until_kind(bob, "leave")
    assert (left["nick"], left["reason"]) == ("alice", "lost")


async def test_what_is_said_while_the_log_is_away_waits(
    mock_clock: MockClock, open_server: OpenServer, store: MemoryStore
) -> None:
    a, b = await open_server("a"), await open_server("b")
    alice, bob = await a.enter_json("alice"), await b.enter_json("bob")
    plain = await a.enter("carol")
    await until_kind(alice, "join")
    store.go_down()
    await alice.say({"kind": "message", "text": "waits", "id": "1"})
    await let_pass(mock_clock, 1.5)
    assert "what you say waits" in (await until_kind(alice, "notice"))["text"]
    assert await plain.line() == "-- the other servers cannot be reached: what you say waits"
    assert a.service.health()["status"] == "cut_off"
    store.come_back()
    await let_pass(mock_clock, 2)
    assert (await until_kind(bob, "message"))["text"] == "waits"
    told = [await alice.object() for _ in range(3)]  # in any order
    assert {one["kind"]: one.get("text", one.get("id")) for one in told} == {
        "ack": "1",
        "notice": "the other servers are there again",
        "gap": None,  # this log cannot prove that it has lost nothing
    }


async def test_a_log_that_hangs_is_told_of_like_one_that_is_away(
    mock_clock: MockClock, open_server: OpenServer
) -> None:
    a = await open_server("a")
    alice = await a.enter_json("alice")
    a.line.pause()
    await alice.say({"kind": "message", "text": "waits", "id": "1"})
    await let_pass(mock_clock, 1.5)
    assert "what you say waits" in (await until_kind(alice, "notice"))["text"]
    a.line.go_on()
    await let_pass(mock_clock, 0.5)
    told = [await alice.object() for _ in range(2)]
    assert [one["kind"] for one in told] == ["ack", "notice"]
    assert told[1]["text"] == "the other servers are there again"


async def test_while_it_is_away_for_long_what_is_said_is_refused(
    mock_clock: MockClock, open_server: OpenServer, store: MemoryStore
) -> None:
    a = await open_server("a")
    alice = await a.enter_json("alice")
    store.go_down()
    await let_pass(mock_clock, CLUSTER_PATIENCE_SECONDS + 0.5)
    await until_kind(alice, "notice")
    await alice.say({"kind": "message", "text": "now?", "id": "1"})
    assert (await until_kind(alice, "error"))["code"] == "unavailable"
    other = await a.knock()
    await other.say("/json {}")
    assert (await other.object())["code"] == "unavailable"
    assert (await other.object())["reason"] == "lost"
    store.come_back()
    await let_pass(mock_clock, 2)
    await until_kind(alice, "notice")
    await alice.say({"kind": "message", "text": "now", "id": "2"})
    assert (await until_kind(alice, "ack"))["id"] == "2"


async def test_a_log_that_takes_nothing_is_tried_now_and_then_and_said_to_be_so_once(
    mock_clock: MockClock,
    open_server: OpenServer,
    store: MemoryStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    a = await open_server("a")
    alice = await a.enter_json("alice")
    store.is_full, reached = True, store.reached
    await let_pass(mock_clock, 8)
    assert store.reached - reached <= 12
    store.is_full = False
    await let_pass(mock_clock, 2)
    await until_kind(alice, "notice")
    assert (await alice.object())["text"] == "the other servers are there again"
    said = [record.getMessage() for record in caplog.records if "room's log" in record.msg]
    assert said == ["the room's log cannot be reached: it broke", "the room's log is there again"]


@pytest.mark.parametrize("mode", ["epoll", "thread"])
async def test_whose_server_was_cut_off_for_long_is_back_when_it_is(
    mock_clock: MockClock, open_server: OpenServer, mode: str
) -> None:
    a, b = await open_server("a", mode=mode), await open_server("b")
    alice, bob = await a.enter_json("alice"), await b.enter_json("bob")
    await until_kind(alice, "join")
    a.line.pause()
    await let_pass(mock_clock, CLUSTER_PATIENCE_SECONDS + 5)
    assert b.service.room.nicks(0, 9) == ["bob"]
    a.line.go_on()
    await let_pass(mock_clock, 2)
    assert a.service.room.nicks(0, 9) == b.service.room.nicks(0, 9) == ["alice", "bob"]
    await bob.say({"kind": "message", "text": "welcome back"})
    assert (await until_kind(alice, "message"))["text"] == "welcome back"


async def test_who_leaves_while_it_is_away_for_long_has_left_when_it_is_back(
    mock_clock: MockClock, open_server: OpenServer, store: MemoryStore
) -> None:
    a = await open_server("a")
    alice, carol = await a.enter_json("alice"), await a.enter_json("carol")
    await until_kind(alice, "join")
    store.go_down()
    await let_pass(mock_clock, CLUSTER_PATIENCE_SECONDS + 0.5)
    await carol.say({"kind": "quit"})
    assert (await until_kind(carol, "bye"))["reason"] == "quit"
    store.come_back()
    await let_pass(mock_clock, 2)
    left = await until_kind(alice, "leave")
    assert (left["nick"], left["reason"]) == ("carol", "quit")
    assert a.service.room.nicks(0, 9) == ["alice"]


async def test_a_log_that_lost_its_tail_is_a_new_session_and_a_gap(
    mock_clock: MockClock, open_server: OpenServer, store: MemoryStore
) -> None:
    a, b = await open_server("a"), await open_server("b")
    alice, welcome = await a.welcome("alice")
    bob = await b.enter_json("bob")
    await alice.say({"kind": "message", "text": "lost", "id": "1"})
    seq = (await until_kind(alice, "ack"))["seq"]
    await until_kind(bob, "message")
    store.go_down()
    await let_pass(mock_clock, 0.5)
    store.come_back(lost=3)
    await let_pass(mock_clock, 2)
    for visitor in (alice, bob):
        gap = await until_kind(visitor, "gap")
        assert gap["from"] == seq + 1
    await until_kind(bob, "join")
    await alice.say({"kind": "message", "text": "goes on", "id": "2"})
    ack = await until_kind(alice, "ack")
    assert ack["seq"] > gap["to"]
    _, later = await b.welcome("carol", after=seq - 1, session=welcome["session"])
    assert later["session"] != welcome["session"]
    assert later["resumed"] == "partial" or later["missed"]


async def test_a_log_that_lost_everything_is_a_new_room_that_all_come_into(
    mock_clock: MockClock, open_server: OpenServer, store: MemoryStore
) -> None:
    a, b = await open_server("a"), await open_server("b")
    alice, bob = await a.enter_json("alice"), await b.enter_json("bob")
    await until_kind(alice, "join")
    store.go_down()
    await let_pass(mock_clock, 0.5)
    store.lose_everything()
    store.come_back()
    await let_pass(mock_clock, 3)
    for visitor in (alice, bob):
        await until_kind(visitor, "gap")
    assert a.service.room.snapshot() == b.service.room.snapshot()
    assert a.service.room.nicks(0, 9) == ["alice", "bob"]
    await alice.say({"kind": "message", "text": "goes on", "id": "1"})
    seq = (await until_kind(alice, "ack"))["seq"]
    heard = await until_kind(bob, "message")
    assert (heard["text"], heard["seq"]) == ("goes on", seq)


async def test_a_log_that_lost_everything_lets_nobody_in_who_was_banned(
    mock_clock: MockClock, open_server: OpenServer, store: MemoryStore
) -> None:
    a = await open_server("a")
    await a.enter_json("bob")
    room, log = a.service.room, a.cluster.log
    rulings: list[Command] = [
        Topic(None, "", "of cats"),
        Impose(None, "", "troll"),
        Mute(None, "", "bob"),
        Moderate(None, "", on=True),
        Own("", (("carol", Role.MEMBER),)),
    ]
    log.append(rulings)
    await let_pass(mock_clock, 0.5)
    before = room.legacy("")
    assert (before.topic, len(before.bans), len(before.mutes)) == ("of cats", 1, 1)
    store.go_down()
    store.lose_everything()
    store.come_back()
    await let_pass(mock_clock, 3)
    assert room.seq > 1_000_000
    assert room.legacy("") == before


async def test_what_is_asked_while_the_room_is_read_again_waits(
    mock_clock: MockClock,
    open_server: OpenServer,
    store: MemoryStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a = await open_server("a")
    alice = await a.enter_json("alice")
    begin = a.cluster.begin

    def begin_and_hang(replica: Replica) -> None:
        begin(replica)
        a.line.pause()

    monkeypatch.setattr(a.cluster, "begin", begin_and_hang)
    store.lose_everything()
    await let_pass(mock_clock, 2)
    assert a.service.room.everybody() == []
    await alice.say({"kind": "who"}, {"kind": "message", "text": "here", "id": "1"})
    await let_pass(mock_clock, 0.5)
    a.line.go_on()
    await let_pass(mock_clock, 2)
    assert (await until_kind(alice, "members"))["members"] == ["alice"]
    assert (await until_kind(alice, "ack"))["id"] == "1"


@pytest.mark.parametrize("mode", ["epoll", "thread"])
async def test_who_was_in_the_lost_tail_only_is_nobody(
    mock_clock: MockClock, open_server: OpenServer, store: MemoryStore, mode: str
) -> None:
    a, b = await open_server("a", mode=mode), await open_server("b", mode=mode)
    alice = await a.enter_json("alice")
    kept = len(store.rows)
    await b.enter_json("bob")
    await until_kind(alice, "join")
    store.go_down()
    b.kill()
    store.come_back(lost=len(store.rows) - kept)
    await let_pass(mock_clock, 8)
    c = await open_server("c", mode=mode)
    assert a.service.room.nicks(0, 9) == c.service.room.nicks(0, 9) == ["alice"]
    await c.enter_json("bob")
    assert (await until_kind(alice, "gap"))["from"] > 0
    assert a.service.room.snapshot() == c.service.room.snapshot()
    assert a.service.room.nicks(0, 9) == ["alice", "bob"]
