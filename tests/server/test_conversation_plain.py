"""Conversations as people have them with `nc`."""

from __future__ import annotations

import pytest
import trio

from tests.conftest import OpenHouse
from tests.visiting import House


async def test_a_line_reaches_all_others_and_not_its_sender(house: House) -> None:
    alice, bob, carol = [await house.enter(name) for name in ("alice", "bob", "carol")]
    await alice.say("hello")
    await alice.say("/ping")
    assert await alice.lines(3) == ["-- bob joined", "-- carol joined", "-- pong"]
    assert await bob.lines(2) == ["-- carol joined", "alice: hello"]
    assert await carol.line() == "alice: hello"


async def test_what_others_see_of_each_command(house: House) -> None:
    bob = await house.enter("bob")
    carol = await house.enter("carol")
    await carol.say("/me waves", "//slashes", "/nick caz", "caz now", "/quit")
    assert await bob.lines(6) == [
        "-- carol joined",
        "* carol waves",
        "carol: /slashes",
        "-- carol is now caz",
        "caz: caz now",
        "-- caz left (quit)",
    ]
    assert await carol.rest() == ["-- you are now caz", "-- bye (quit): see you"]


async def test_answers_are_for_the_asker_alone(house: House) -> None:
    alice = await house.enter("alice")
    bob = await house.enter("bob")
    assert await alice.line() == "-- bob joined"
    await bob.say(
        "/who", "/nick alice", "/nick", "/nick -x", "/dance", "/me", "/history x", "/json"
    )
    assert await bob.lines(9) == [
        "-- 2 here:",
        "--   alice, bob",
        "-- the nick alice is taken (nick_taken)",
        "-- say /nick NAME (bad_request)",
        "-- a nick begins with a letter or a digit (nick_invalid)",
        "-- unknown command /dance, /help lists them (unknown_kind)",
        "-- a message needs some text (text_empty)",
        "-- say /history or /history N, N a number from 1 (bad_request)",
        "-- /json {…} has to be the first line (bad_request)",
    ]
    await bob.say("/help", "/ping")
    help_line = await bob.line()
    for command in ("/nick", "/me", "/who", "/history", "/ping", "/help", "/quit", "/json"):
        assert command in help_line
    assert await bob.line() == "-- pong"
    await alice.say("/ping")
    assert await alice.line() == "-- pong"


async def test_history_tells_the_last_events(house: House) -> None:
    alice = await house.enter("alice")
    await alice.say("one", "two", "/me waves", "/history 2", "/history", "/history 0")
    told = await alice.lines(9)
    assert told[0] == "-- the last 2 events:"
    assert [line.split(" ", 3)[3] for line in told[1:3]] == ["alice: two", "* alice waves"]
    assert told[3] == "-- the last 4 events:"
    assert [line.split(" ", 3)[3] for line in told[4:8]] == [
        "alice joined",
        "alice: one",
        "alice: two",
        "* alice waves",
    ]
    assert told[8] == "-- say /history or /history N, N a number from 1 (bad_request)"


@pytest.mark.parametrize(
    ("first", "seen"),
    [
        ("/nick bob", ["-- bob joined"]),
        ("hi", ["-- guest1 joined", "guest1: hi"]),
        ("/me waves", ["-- guest1 joined", "* guest1 waves"]),
        ("//etc", ["-- guest1 joined", "guest1: /etc"]),
        ("/who", ["-- guest1 joined"]),
        ("/dance", ["-- guest1 joined"]),
        ("/nick alice", ["-- guest1 joined"]),
        ("/nick guest7", ["-- guest1 joined"]),
        ("/nick", ["-- guest1 joined"]),
    ],
)
async def test_the_first_line_is_how_one_enters(house: House, first: str, seen: list[str]) -> None:
    alice = await house.enter("alice")
    visitor = await house.knock()
    await visitor.say(first, "there")
    lines = await alice.lines(len(seen) + 1)
    assert lines[:-1] == seen
    assert lines[-1].endswith(": there")


async def test_quit_as_the_first_line_enters_nothing(house: House) -> None:
    alice = await house.enter("alice")
    visitor = await house.knock()
    await visitor.say("/quit")
    assert await visitor.rest() == ["-- bye (quit): see you"]
    await alice.say("/ping")
    assert await alice.line() == "-- pong"


async def test_who_says_nothing_enters_after_a_moment_and_listens(house: House) -> None:
    alice = await house.enter("alice")
    silent = await house.knock()
    started = trio.current_time()
    assert await alice.line() == "-- guest1 joined"
    assert 0.2 < trio.current_time() - started < 10
    assert "you are guest1 " in await silent.line()
    await alice.say("hello")
    assert await silent.line() == "alice: hello"
    await silent.say("/nick sil", "hi")
    assert await alice.lines(2) == ["-- guest1 is now sil", "sil: hi"]


@pytest.mark.parametrize("begun", [b"\n", b"\r\n\n", b"hel"])
async def test_who_has_not_finished_a_line_enters_after_a_moment_too(
    house: House, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatroom.protocol.opening.FIRST_LINE_SECONDS", 0.3)
    alice = await house.enter("alice")
    slow = await house.knock()
    await slow.send(begun)
    assert await alice.line() == "-- guest1 joined"
    assert "you are guest1 " in await slow.line()
    await slow.send(b"lo\n")
    assert (await alice.line()).endswith("lo")


async def test_line_ends_and_bytes_that_are_not_text(house: House) -> None:
    alice = await house.enter("alice")
    bob = await house.enter("bob")
    await bob.send(b"one\r\n\r\n\n\xff\xc3\x28\ntab\there\x1b[2J\x07\r\rend\r\n")
    assert await alice.lines(4) == [
        "-- bob joined",
        "bob: one",
        "bob: \ufffd\ufffd(",
        "bob: tab\there\ufffd[2J\ufffd\ufffd\ufffdend",
    ]


async def test_too_long_a_text_is_refused_and_the_talk_goes_on(house: House) -> None:
    alice = await house.enter("alice")
    bob = await house.enter("bob")
    await bob.say("x" * 1025, "é" * 513, "y" * 1024)
    assert await bob.lines(2) == [
        "-- the text has 1025 bytes, 1024 are allowed (text_too_long)",
        "-- the text has 1026 bytes, 1024 are allowed (text_too_long)",
    ]
    assert await alice.lines(2) == ["-- bob joined", "bob: " + "y" * 1024]


async def test_a_line_without_end_closes_the_connection(house: House) -> None:
    alice = await house.enter("alice")
    bob = await house.enter("bob")
    await bob.send(b"before\n" + b"x" * 8193)
    bye = "-- bye (protocol_error): a line has more than 8192 bytes and no end"
    assert await bob.rest() == [bye]
    assert await alice.lines(3) == ["-- bob joined", "bob: before", "-- bob left (protocol_error)"]


async def test_half_closing_is_a_quit_after_all_answers(house: House) -> None:
    alice = await house.enter("alice")
    visitor = await house.knock()
    await visitor.say("/nick bob", "hi", "/history 2", "bye all")
    await visitor.stream.send_eof()
    lines = await visitor.rest()
    assert [line.split(" ", 3)[-1] for line in lines[2:4]] == ["bob joined", "bob: hi"]
    assert lines[4:] == ["-- bye (quit): see you"]
    assert await alice.lines(4) == [
        "-- bob joined",
        "bob: hi",
        "bob: bye all",
        "-- bob left (quit)",
    ]


async def test_a_last_line_without_its_end_is_not_said(house: House) -> None:
    alice = await house.enter("alice")
    bob = await house.enter("bob")
    await bob.send(b"whole\ntorn")
    await bob.stream.send_eof()
    assert await bob.rest() == ["-- bye (quit): see you"]
    assert await alice.lines(3) == ["-- bob joined", "bob: whole", "-- bob left (quit)"]


async def test_a_full_room_says_so_and_closes(open_room: OpenHouse) -> None:
    house = await open_room(max_clients=1)
    await house.enter("alice")
    visitor = await house.knock()
    await visitor.say("/nick bob")
    assert await visitor.rest() == [
        "-- the room is full (1 members) (room_full)",
        "-- bye (kicked): not let in: room_full",
    ]


async def test_a_place_that_is_left_can_be_taken(open_room: OpenHouse) -> None:
    house = await open_room(max_clients=1)
    alice = await house.enter("alice")
    await alice.say("/quit")
    await alice.rest()
    bob = await house.enter("bob")
    await bob.say("/who")
    assert await bob.lines(2) == ["-- 1 here:", "--   bob"]
