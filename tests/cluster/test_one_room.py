"""Two servers and three are one room, whatever clients do on which of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

import chatroom
from chatroom.event import CloseReason
from chatroom.protocol.requests import Request

if TYPE_CHECKING:
    from tests.cluster.conftest import ClusterHouse, OpenServer
    from tests.visiting import Visitor


async def objects(visitor: Visitor, count: int) -> list[dict[str, Any]]:
    return [await visitor.object() for _ in range(count)]


async def test_what_is_said_on_one_server_is_heard_on_the_other(open_server: OpenServer) -> None:
    a, b = await open_server("a"), await open_server("b")
    alice, welcome = await a.welcome("alice")
    assert welcome["servers"] == ["b.example:9009"]
    bob, welcome_too = await b.welcome("bob")
    assert welcome_too["session"] == welcome["session"]
    assert welcome_too["members"] == ["bob", "alice"] or welcome_too["member_count"] == 2
    assert welcome_too["seq"] == 2
    assert (await alice.object())["nick"] == "bob"
    await alice.say({"kind": "message", "text": "hello", "id": "1"})
    heard = await bob.object()
    assert (heard["seq"], heard["nick"], heard["text"]) == (3, "alice", "hello")
    assert await alice.object() == {"kind": "ack", "id": "1", "seq": 3}
    await bob.say({"kind": "message", "text": "hello to you"})
    assert (await alice.object())["text"] == "hello to you"


async def test_a_nick_is_held_by_one_member_of_all_servers(open_server: OpenServer) -> None:
    a, b = await open_server("a"), await open_server("b")
    await a.enter_json("alice")
    other = await b.knock()
    await other.say('/json {"nick":"ALICE"}')
    error, bye = await objects(other, 2)
    assert (error["code"], bye["reason"]) == ("nick_taken", "protocol_error")
    plain = await b.knock()
    await plain.say("/nick alice", "here I am")
    assert await plain.line() == "-- the nick alice is taken (nick_taken)"
    assert "you are guest1 " in await plain.line()


@pytest.mark.parametrize("limit", [None, 2])
async def test_who_is_here_is_told_with_the_server_of_each(
    open_server: OpenServer, limit: int | None
) -> None:
    a, b = await open_server("a"), await open_server("b")
    await a.enter_json("alice")
    await a.enter_json("carol")
    bob = await b.enter_json("bob")
    await bob.say({"kind": "who", "limit": limit} if limit else {"kind": "who"})
    members = await bob.object()
    assert members["members"] == ["alice", "bob", "carol"][:limit]
    assert members["servers"] == ["a", "b", "a"][:limit]


async def test_the_client_shows_who_is_on_which_server(open_server: OpenServer) -> None:
    a, b = await open_server("a"), await open_server("b")
    await a.enter_json("alice")
    async with chatroom.connect("127.0.0.1", b.service.port, nick="bob") as room:
        assert await room.whereabouts() == [("alice", "a"), ("bob", "b")]


async def test_guests_have_numbers_of_the_whole_room(open_server: OpenServer) -> None:
    a, b = await open_server("a"), await open_server("b")
    nicks = [(await house.welcome())[1]["nick"] for house in (a, b, a)]
    assert nicks == ["guest1", "guest2", "guest3"]


@pytest.mark.parametrize("mode", ["epoll", "thread"])
async def test_who_says_something_and_quits_has_its_acks(
    open_server: OpenServer, mode: str
) -> None:
    a = await open_server("a", mode=mode)
    alice = await a.enter_json("alice")
    lines = [{"kind": "message", "text": "x", "id": str(n)} for n in range(3)]
    await alice.say(*lines, {"kind": "quit"})
    told = await objects(alice, 4)
    assert [one.get("id") for one in told] == ["0", "1", "2", None]
    assert [one["kind"] for one in told] == ["ack", "ack", "ack", "bye"]


@pytest.mark.parametrize("mode", ["epoll", "thread"])
async def test_what_is_said_after_a_hello_in_one_go_waits_for_it(
    open_server: OpenServer, mode: str
) -> None:
    a, b = await open_server("a", mode=mode), await open_server("b")
    bob = await b.enter("bob")
    alice = await a.knock()
    await alice.say("/nick alice", "one", "/nick carol", "two", "/me waves", "/quit")
    assert await bob.lines(6) == [
        "-- alice joined",
        "alice: one",
        "-- alice is now carol",
        "carol: two",
        "* carol waves",
        "-- carol left (quit)",
    ]
    assert (await alice.rest())[-1] == "-- bye (quit): see you"


async def test_who_is_shown_out_may_be_on_another_server(open_server: OpenServer) -> None:
    a, b = await open_server("a"), await open_server("b")
    alice, welcome = await a.welcome("alice")
    bob = await b.enter_json("bob")
    again, _ = await b.welcome("alice", token=welcome["token"])
    left = (await objects(bob, 1))[0]
    assert (left["kind"], left["nick"], left["reason"]) == ("leave", "alice", "replaced")
    lines = await alice.rest()
    assert '"reason":"replaced"' in lines[-1]
    await again.say({"kind": "who"})
    members = await again.object()
    assert members["members"] == ["alice", "bob"]


async def test_resuming_is_good_on_every_server(open_server: OpenServer) -> None:
    a, b = await open_server("a"), await open_server("b")
    alice, welcome = await a.welcome("alice")
    await alice.say(*({"kind": "message", "text": f"line {n}", "id": str(n)} for n in range(5)))
    assert [(await alice.object())["seq"] for _ in range(5)] == [2, 3, 4, 5, 6]
    bob, resumed = await b.welcome("bob", after=3, session=welcome["session"])
    assert resumed["resumed"] == "complete"
    assert [(await bob.object())["seq"] for _ in range(4)] == [4, 5, 6, 7]


async def test_a_later_server_has_what_the_log_has(open_server: OpenServer) -> None:
    a = await open_server("a")
    alice, welcome = await a.welcome("alice")
    await alice.say({"kind": "message", "text": "hello", "id": "1"})
    await alice.object()
    b = await open_server("b")
    bob, resumed = await b.welcome("bob", after=0, session=welcome["session"])
    assert (resumed["resumed"], resumed["members"]) == ("complete", ["alice", "bob"])
    assert [event["kind"] for event in await objects(bob, 3)] == ["join", "message", "join"]


async def test_a_drain_names_the_others_and_leaves_are_said_once(
    open_server: OpenServer,
) -> None:
    a, b = await open_server("a"), await open_server("b")
    alice, bob = await a.enter_json("alice"), await b.enter_json("bob")
    await alice.object()
    a.service.drain()
    bye = await alice.object()
    assert (bye["kind"], bye["reason"], bye["servers"]) == ("bye", "shutdown", ["b.example:9009"])
    left = await bob.object()
    assert (left["kind"], left["nick"], left["reason"]) == ("leave", "alice", "shutdown")
    await bob.say({"kind": "message", "text": "alone", "id": "1"})
    assert await bob.object() == {"kind": "ack", "id": "1", "seq": left["seq"] + 1}
    await b.until(lambda: list(b.cluster.log.replica.servers) == ["b"])


async def test_the_topic_a_ban_and_a_redaction_reach_every_server(open_server: OpenServer) -> None:
    a, b = await open_server("a"), await open_server("b")
    alice, bob = await a.enter_json("alice"), await b.enter_json("bob")
    await alice.object()
    await alice.say({"kind": "message", "text": "a secret", "id": "1"})
    seq = (await alice.object())["seq"]
    await alice.say({"kind": "topic", "text": "cats"})
    assert [one["kind"] for one in await objects(bob, 2)] == ["message", "topic"]
    for kind, request in (
        ("redaction", Request("redact", of=seq)),
        ("leave", Request("kick", nick="alice")),
    ):
        await _rule(b, request)
        told = await bob.object()
        assert (told["kind"], told.get("of", seq)) == (kind, seq)
    assert '"reason":"kicked"' in (await alice.rest())[-1]
    await _rule(a, Request("ban", mask="zoe"))
    zoe = await b.knock()
    await zoe.say('/json {"nick":"zoe"}')
    assert (await zoe.object())["code"] == "banned"
    other, welcome = await b.welcome("carol", after=seq - 1)
    assert welcome["topic"] == "cats"
    assert "text" not in await other.object()


async def _rule(house: ClusterHouse, request: Request) -> None:
    """As the administrator of the machine; returns when it has been done."""
    done = trio.Event()
    parts = house.service._parts
    assert parts is not None
    parts.dispatcher.administer(request, lambda outcome: done.set())
    with trio.fail_after(30):
        await done.wait()


async def test_who_goes_before_the_log_has_taken_it_in_does_not_stay(
    open_server: OpenServer,
) -> None:
    a, b = await open_server("a"), await open_server("b")
    bob = await b.enter_json("bob")
    a.line.pause()
    carol = await a.knock()
    await carol.say('/json {"nick":"carol"}')
    parts = a.service._parts
    assert parts is not None
    await a.until(lambda: any(map(parts.dispatcher._order.is_pending, parts.connections)))
    (connection,) = parts.connections
    parts.endings.soon(connection, CloseReason.LOST, "gone")
    assert (await carol.object())["kind"] == "bye"
    a.line.go_on()
    came, went = await objects(bob, 2)
    assert (came["kind"], went["kind"], went["nick"]) == ("join", "leave", "carol")
    assert a.service.room.nicks(0, 9) == b.service.room.nicks(0, 9) == ["bob"]
