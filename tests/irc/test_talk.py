"""What is said by IRC, and how what others say is told."""

from __future__ import annotations

import pytest

from tests.irc.speaking import commands, join, register
from tests.visiting import House


async def test_talk_goes_to_all_others_whichever_way_they_came_in(house: House) -> None:
    alice, carol = await join(house, "alice"), await join(house, "carol")
    bob = await house.enter("bob")
    await alice.all()
    await carol.all()
    assert await alice.answer("PRIVMSG #lobby :hi", "PRIVMSG #LOBBY :\x01ACTION waves\x01") == []
    await bob.say("hello", "/me nods")
    assert await bob.lines(2) == ["alice: hi", "* alice waves"]
    await bob.settle()
    assert [line.raw for line in await carol.all()] == [
        ":alice!~alice@chatroom.local PRIVMSG #lobby :hi",
        ":alice!~alice@chatroom.local PRIVMSG #lobby :\x01ACTION waves\x01",
        ":bob!member@chatroom.local PRIVMSG #lobby :hello",
        ":bob!member@chatroom.local PRIVMSG #lobby :\x01ACTION nods\x01",
    ]


async def test_a_notice_stays_one(house: House) -> None:
    alice, carol = await join(house, "alice"), await join(house, "carol")
    bob = await house.enter_json("bob")
    await alice.all()
    await carol.all()
    assert await alice.answer("NOTICE #lobby :beep", "NOTICE #x :beep") == []
    assert [line.raw for line in await carol.all()] == [
        ":alice!~alice@chatroom.local NOTICE #lobby :beep"
    ]
    event = await bob.object()
    assert (event["kind"], event["text"], event["notice"]) == ("message", "beep", True)


async def test_formatting_and_control_characters_reach_nobody(house: House) -> None:
    alice = await join(house, "alice")
    bob = await house.enter("bob")
    await alice.say("PRIVMSG #lobby :\x02b\x02 \x0304,12red\x03 \x04ff0000hex\x0f \x1b[2J a\rb")
    assert await bob.line() == "alice: b red hex \ufffd[2J ab"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("PRIVMSG", ["411"]),
        ("PRIVMSG :", ["411"]),
        ("PRIVMSG #lobby", ["412"]),
        ("PRIVMSG #lobby :", ["412"]),
        ("PRIVMSG #lobby :\x02", ["412"]),
        ("PRIVMSG #nowhere :hi", ["403"]),
        ("PRIVMSG @#lobby :hi", ["404"]),
        ("PRIVMSG #lobby :\x01VERSION\x01", ["404"]),
        ("PRIVMSG bob :hi", ["531"]),
        ("PRIVMSG gone :hi", ["301", "531"]),
        ("PRIVMSG nobody :hi", ["401"]),
        ("PRIVMSG a,b,c,d,e,f,g :hi", ["401", "401", "401", "401", "407"]),
        ("NOTICE bob :hi", []),
        ("NOTICE #nowhere :hi", []),
        ("NOTICE @#lobby :for operators", []),
        ("NOTICE #lobby :\x01PING 1\x01", []),
        ("NOTICE", []),
        ("TAGMSG #lobby", ["421"]),
    ],
)
async def test_what_cannot_be_said(house: House, line: str, answer: list[str]) -> None:
    alice, bob = await join(house, "alice"), await join(house, "bob")
    gone = await register(house, "gone")
    await gone.answer("AWAY :lunch")
    await alice.all()
    assert commands(await alice.answer(line)) == answer
    assert await bob.all() == []


async def test_who_is_not_in_the_room_cannot_say_anything(house: House) -> None:
    bob = await house.enter("bob")
    alice = await register(house, "alice", "message-tags")
    lines = await alice.answer(
        "PRIVMSG #lobby :hi", "NOTICE #lobby :hi", "@+typing=done TAGMSG #lobby"
    )
    assert commands(lines) == ["404", "404"]
    await bob.say("x")
    await bob.settle()


async def test_a_long_text_comes_in_pieces_that_are_whole_words(house: House) -> None:
    alice = await join(house, "alice", "message-tags")
    bob = await house.enter_json("bob")
    text = "w\u00f6rter " * 120
    await bob.say({"kind": "message", "text": text}, {"kind": "action", "text": "x" * 900})
    await bob.say({"kind": "ping"})
    assert (await bob.object())["kind"] == "pong"
    talk = [line for line in await alice.all() if line.command == "PRIVMSG"]
    said = [line for line in talk if not line.text.startswith("\x01")]
    assert "".join(line.text for line in said) == text
    assert all(line.text.endswith(" ") for line in said)
    first = said[0].tags["msgid"]
    assert [line.tags["msgid"] for line in said] == [first, f"{first}.1", f"{first}.2"]
    acted = [line.text for line in talk if line.text.startswith("\x01")]
    assert "".join(t.removeprefix("\x01ACTION ")[:-1] for t in acted) == "x" * 900


async def test_a_long_text_is_one_for_who_can_read_it(house: House) -> None:
    alice = await join(house, "alice", "message-tags", "batch", "draft/multiline", "server-time")
    bob = await house.enter_json("bob")
    text = "x" * 1000
    await bob.say({"kind": "message", "text": text, "id": "1"})
    await bob.object()
    _, start, *lines, end = await alice.all()
    reference = start.params[0].removeprefix("+")
    assert start.params[1:] == ["draft/multiline", "#lobby"]
    assert {"msgid", "time"} <= set(start.tags)
    assert end.params == [f"-{reference}"]
    assert "".join(line.text for line in lines) == text
    assert [set(line.tags) for line in lines[:2]] == [
        {"batch"},
        {"batch", "draft/multiline-concat"},
    ]


async def test_a_batch_of_lines_is_a_message_for_each_that_is_not_joined(house: House) -> None:
    caps = "message-tags", "batch", "draft/multiline", "echo-message", "labeled-response"
    alice = await join(house, "alice", *caps)
    bob = await house.enter("bob")
    await alice.all()
    lines = await alice.answer(
        "@label=L BATCH +1 draft/multiline #lobby",
        "@batch=1 PRIVMSG #lobby :hello",
        "@batch=1 PRIVMSG #lobby :",
        "@batch=1 PRIVMSG #lobby :how is ",
        "@batch=1;draft/multiline-concat PRIVMSG #lobby :everyone?",
        "BATCH -1",
    )
    begin, *lines, _ = lines
    assert begin.tags["label"] == "L"
    assert [line.text for line in lines] == ["hello", "how is everyone?"]
    assert {line.tags["batch"] for line in lines} == {begin.params[0][1:]}
    assert await bob.lines(2) == ["alice: hello", "alice: how is everyone?"]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["@batch=2 PRIVMSG #lobby :x"], "MULTILINE_INVALID"),
        (["@batch=1 PRIVMSG #x :x"], "MULTILINE_INVALID"),
        (["@batch=1 PRIVMSG #lobby :x", "@batch=1 NOTICE #lobby :x"], "MULTILINE_INVALID"),
        (
            ["@batch=1 PRIVMSG #lobby :x", "@batch=1;draft/multiline-concat PRIVMSG #lobby :"],
            "MULTILINE_INVALID",
        ),
        (["@batch=1 PRIVMSG #lobby :x"] * 17, "MULTILINE_MAX_LINES"),
        (["BATCH -2"], "MULTILINE_INVALID"),
        (["BATCH +2 draft/multiline #lobby"], "MULTILINE_INVALID"),
    ],
)
async def test_a_batch_that_is_none_is_refused(house: House, lines: list[str], code: str) -> None:
    alice = await join(house, "alice", "message-tags", "batch", "draft/multiline")
    failed, *_ = await alice.answer("BATCH +1 draft/multiline #lobby", *lines)
    assert (failed.command, failed.params[:2]) == ("FAIL", ["BATCH", code])


async def test_a_batch_is_given_up_by_who_goes_out_before_its_end(house: House) -> None:
    alice = await join(house, "alice", "message-tags", "batch", "draft/multiline")
    bob = await house.enter("bob")
    await alice.all()
    begun = "BATCH +1 draft/multiline #lobby", "@batch=1 PRIVMSG #lobby :half"
    lines = await alice.answer(*begun, "PART #lobby", "BATCH -1", "JOIN #lobby", "BATCH -1")
    assert commands(lines) == ["PART", "FAIL", "JOIN", "353", "366", "FAIL"]
    await alice.say("PRIVMSG #lobby :whole")
    assert await bob.lines(3) == ["-- alice left (quit)", "-- alice joined", "alice: whole"]


async def test_signs_of_typing_go_to_those_who_know_of_tags_only(house: House) -> None:
    alice = await join(house, "alice", "message-tags", "echo-message")
    carol, dave = await join(house, "carol", "message-tags"), await join(house, "dave")
    bob = await house.enter_json("bob")
    await alice.all()
    await carol.all()
    await dave.all()
    sign = "@+typing=active :alice!~alice@chatroom.local TAGMSG #lobby"
    lines = await alice.answer(
        "@+typing=active;+x=y TAGMSG #lobby", "@+x=y TAGMSG #lobby", "@+typing=a\\:b TAGMSG #lobby"
    )
    assert [line.raw for line in lines] == [sign]
    assert [line.raw for line in await carol.all()] == [sign]
    assert await dave.all() == []
    await bob.say({"kind": "ping"})
    assert (await bob.object())["kind"] == "pong"
    assert commands(await alice.answer("TAGMSG #x", "TAGMSG nobody")) == ["403", "401"]
