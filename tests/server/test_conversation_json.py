"""Conversations as programs have them: every answer, word for word."""

from __future__ import annotations

import json
import re

import pytest

from chatroom.event import CloseReason
from tests.conftest import OpenHouse
from tests.visiting import House, Visitor

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


async def _event_line(visitor: Visitor) -> str:
    """The next line; its time, once checked, is replaced by T."""
    line = await visitor.line()
    assert re.search(f'"time":"{TIME}"', line), line
    return re.sub(TIME, "T", line)


async def test_the_welcome_word_for_word(house: House) -> None:
    await house.enter("zoe")
    visitor = await house.knock()
    await visitor.say('/json {"nick":"alice"}')
    line = await visitor.line()
    token = json.loads(line)["token"]
    assert len(token) >= 20
    session = house.journal.session
    assert re.fullmatch("[A-Z0-9]{10}", session)
    assert line == (
        f'{{"kind":"welcome","protocol":1,"room":"lobby","session":"{session}","nick":"alice",'
        f'"token":"{token}","seq":2,"members":["zoe","alice"],"member_count":2,'
        '"limits":{"text":1024},"multicast":null,"topic":"","account":null,"role":"member"}'
    )


async def test_the_hello_needs_no_space(house: House) -> None:
    visitor = await house.knock()
    await visitor.say('/json{"nick":"alice"}')
    assert (await visitor.object())["nick"] == "alice"
    bob = await house.enter("bob")
    await bob.say('/json{"nick":"bob"}')
    assert await bob.line() == "-- /json {…} has to be the first line (bad_request)"


async def test_events_word_for_word(house: House) -> None:
    alice = await house.enter_json("alice")
    bob = await house.enter("bob")
    await bob.say('say "hi"\t\\ \u00e9\u4e2d\U0001f600 <&>', "/me waves", "/nick rob", "/quit")
    assert [await _event_line(alice) for _ in range(5)] == [
        '{"seq":2,"time":"T","kind":"join","nick":"bob"}',
        '{"seq":3,"time":"T","kind":"message","nick":"bob",'
        '"text":"say \\"hi\\"\\t\\\\ \u00e9\u4e2d\U0001f600 <&>"}',
        '{"seq":4,"time":"T","kind":"action","nick":"bob","text":"waves"}',
        '{"seq":5,"time":"T","kind":"rename","nick":"bob","to":"rob"}',
        '{"seq":6,"time":"T","kind":"leave","nick":"rob","reason":"quit"}',
    ]


async def test_answers_word_for_word(house: House) -> None:
    alice = await house.enter_json("alice")
    await house.enter("bob")
    await _event_line(alice)
    long_id = "i" * 64
    for request, answer in [
        ('{"kind":"message","text":"hi","id":"7"}', '{"kind":"ack","id":"7","seq":3}'),
        ('{"kind":"action","text":"waves","id":""}', '{"kind":"ack","id":"","seq":4}'),
        (f'{{"kind":"ping","id":"{long_id}"}}', f'{{"kind":"pong","id":"{long_id}"}}'),
        ('{"kind":"ping"}', '{"kind":"pong"}'),
        (
            '{"kind":"who","id":"w"}',
            '{"kind":"members","members":["alice","bob"],"member_count":2,"more":false,"id":"w"}',
        ),
        (
            '{"kind":"who","limit":1}',
            '{"kind":"members","members":["alice"],"member_count":2,"more":true}',
        ),
        (
            '{"kind":"who","offset":1,"limit":1}',
            '{"kind":"members","members":["bob"],"member_count":2,"more":false}',
        ),
        ('{"kind":"rename","to":"caz","id":"r"}', '{"kind":"ack","id":"r","seq":5,"nick":"caz"}'),
        (
            '{"kind":"history","after":5,"id":"h"}',
            '{"kind":"history","events":[],"more":false,"id":"h"}',
        ),
        (
            '{"kind":"rename","to":"bob","id":"r2"}',
            '{"kind":"error","code":"nick_taken","text":"the nick bob is taken","id":"r2"}',
        ),
    ]:
        await alice.say(request)
        assert await alice.line() == answer
    await alice.say('{"kind":"history","after":2,"limit":1}', '{"kind":"quit"}')
    assert await _event_line(alice) == (
        '{"kind":"history","events":[{"seq":3,"time":"T","kind":"message","nick":"alice",'
        '"text":"hi"}],"more":true}'
    )
    assert await alice.rest() == ['{"kind":"bye","reason":"quit","text":"see you"}']


@pytest.mark.parametrize(
    ("request_line", "code", "id_"),
    [
        ("hello", "bad_json", None),
        ("{", "bad_json", None),
        ('{"kind":"ping","id":"1"} x', "bad_json", None),
        ('{"kind":"message","text":"\\ud800","id":"1"}', "bad_json", None),
        ("[" * 5000, "bad_json", None),
        ('{"kind":"ping","x":' + "[" * 4000 + "]" * 4000 + "}", "bad_json", None),
        ("[]", "bad_json", None),
        ("null", "bad_json", None),
        ('"ping"', "bad_json", None),
        ("{}", "bad_request", None),
        ('{"id":"1"}', "bad_request", "1"),
        ('{"kind":7,"id":"1"}', "bad_request", "1"),
        ('{"kind":"ping","id":7}', "bad_request", None),
        ('{"kind":"ping","id":"' + "i" * 65 + '"}', "bad_request", None),
        ('{"kind":"message","text":7,"id":"1"}', "bad_request", "1"),
        ('{"kind":"message","text":null,"id":"1"}', "bad_request", "1"),
        ('{"kind":"rename","id":"1"}', "bad_request", "1"),
        ('{"kind":"history","after":-1,"id":"1"}', "bad_request", "1"),
        ('{"kind":"history","before":1.5,"id":"1"}', "bad_request", "1"),
        ('{"kind":"history","limit":1e400,"id":"1"}', "bad_request", "1"),
        ('{"kind":"history","limit":99999999999999999999999,"id":"1"}', "bad_request", "1"),
        ('{"kind":"dance","id":"1"}', "unknown_kind", "1"),
        ('{"kind":"help","id":"1"}', "unknown_kind", "1"),
        ('{"kind":"","id":"1"}', "unknown_kind", "1"),
        ('{"kind":"' + "k" * 1000 + '","id":"1"}', "unknown_kind", "1"),
        ('{"kind":"message","id":"1"}', "text_empty", "1"),
        ('{"kind":"action","text":"","id":"1"}', "text_empty", "1"),
        ('{"kind":"message","text":"' + "x" * 1025 + '","id":"1"}', "text_too_long", "1"),
        ('{"kind":"message","text":"' + '\\"' * 1000 + '","id":"1"}', "text_too_long", "1"),
        ('{"kind":"rename","to":"-x","id":"1"}', "nick_invalid", "1"),
        ('{"kind":"rename","to":"guest9","id":"1"}', "nick_invalid", "1"),
        ('{"kind":"rename","to":"SERVER","id":"1"}', "nick_invalid", "1"),
        ('{"kind":"rename","to":"a b","id":"1"}', "nick_invalid", "1"),
        ('{"kind":"rename","to":"BOB","id":"1"}', "nick_taken", "1"),
    ],
)
async def test_an_error_answers_the_one_request(
    house: House, request_line: str, code: str, id_: str | None
) -> None:
    alice = await house.enter_json("alice")
    bob = await house.enter("bob")
    await _event_line(alice)
    await alice.say(request_line, '{"kind":"ping"}')
    error = await alice.object()
    expected = {"kind": "error", "code": code, "text": error["text"]}
    assert error == (expected if id_ is None else {**expected, "id": id_})
    assert 0 < len(error["text"]) < 200
    assert await alice.line() == '{"kind":"pong"}'
    await bob.say("/ping")
    assert await bob.line() == "-- pong"


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        ("/json {", "bad_json"),
        ("/json []", "bad_json"),
        ('/json {"nick":7}', "bad_request"),
        ('/json {"after":-1}', "bad_request"),
        ('/json {"presence":"no"}', "bad_request"),
        ('/json {"nick":"ALICE"}', "nick_taken"),
        ('/json {"nick":""}', "nick_invalid"),
        ('/json {"nick":"server"}', "nick_invalid"),
        ('/json {"nick":"guest1"}', "nick_invalid"),
    ],
)
async def test_a_bad_hello_closes_the_connection(house: House, hello: str, code: str) -> None:
    alice = await house.enter("alice")
    visitor = await house.knock()
    await visitor.say(hello, '{"kind":"message","text":"never said"}')
    error = await visitor.object()
    assert (error["kind"], error["code"]) == ("error", code)
    assert await visitor.rest() == [
        f'{{"kind":"bye","reason":"protocol_error","text":"not let in: {code}"}}'
    ]
    await alice.say("/ping")
    assert await alice.line() == "-- pong"


@pytest.mark.parametrize("hello", ["/json", "/json ", "/json {}", "/JSON {}", '/json {"x":[1]}'])
async def test_a_hello_without_a_nick_gives_a_guest(house: House, hello: str) -> None:
    visitor = await house.knock()
    await visitor.say(hello)
    assert (await visitor.object())["nick"] == "guest1"


@pytest.mark.parametrize("nick", ["bob", None])
async def test_a_late_hello_switches_a_guest_to_json(house: House, nick: str | None) -> None:
    alice = await house.enter("alice")
    late = await house.knock()
    assert await alice.line() == "-- guest1 joined"
    await late.say('/json {"nick":"bob"}' if nick else "/json {}")
    assert "you are guest1" in await late.line()
    welcome = await late.object()
    assert welcome["nick"] == (nick or "guest1")
    assert welcome["members"] == ["alice", nick or "guest1"] or welcome["member_count"] == 2
    await late.say({"kind": "message", "text": "hi"})
    said = await alice.lines(2 if nick else 1)
    assert said == (["-- guest1 is now bob", "bob: hi"] if nick else ["guest1: hi"])


async def test_a_late_hello_with_a_taken_nick_closes(house: House) -> None:
    alice = await house.enter("alice")
    late = await house.knock()
    assert await alice.line() == "-- guest1 joined"
    await late.say('/json {"nick":"alice"}')
    assert (await late.object())["code"] == "nick_taken"
    assert len(await late.rest()) == 1
    assert await alice.line() == "-- guest1 left (protocol_error)"


async def test_own_messages_come_back_only_by_echo(house: House) -> None:
    alice = await house.enter_json("alice", echo=True)
    bob = await house.enter_json("bob")
    assert (await alice.object())["kind"] == "join"
    await alice.say({"kind": "message", "text": "one", "id": "1"})
    assert (await alice.object())["seq"] == 3
    assert await alice.line() == '{"kind":"ack","id":"1","seq":3}'
    assert (await bob.object())["text"] == "one"
    await bob.say({"kind": "message", "text": "two", "id": "2"}, {"kind": "ping"})
    assert await bob.line() == '{"kind":"ack","id":"2","seq":4}'
    assert await bob.line() == '{"kind":"pong"}'


async def test_without_presence_only_talk_is_heard(house: House) -> None:
    counter = await house.enter_json("counter", presence=False)
    bob = await house.enter("bob")
    await bob.say("hi", "/nick rob", "/me waves", "/quit")
    await bob.rest()
    await counter.say({"kind": "ping"})
    heard = [await counter.object() for _ in range(3)]
    assert [event["kind"] for event in heard] == ["message", "action", "pong"]


async def test_a_full_room_says_so_in_json(open_room: OpenHouse) -> None:
    house = await open_room(max_clients=1)
    await house.enter("alice")
    visitor = await house.knock()
    await visitor.say("/json {}")
    assert await visitor.rest() == [
        '{"kind":"error","code":"room_full","text":"the room is full (1 members)"}',
        '{"kind":"bye","reason":"kicked","text":"not let in: room_full"}',
    ]


async def test_the_token_takes_a_nick_back(house: House) -> None:
    alice = await house.enter("alice")
    old, welcome = await house.welcome("bob")
    assert await alice.line() == "-- bob joined"
    denied = await house.knock()
    await denied.say('/json {"nick":"bob"}')
    assert (await denied.object())["code"] == "nick_taken"

    new, again = await house.welcome("bob", token=welcome["token"])
    assert again["nick"] == "bob"
    assert again["token"] != welcome["token"]
    assert again["member_count"] == 2
    assert await old.rest() == [
        '{"kind":"bye","reason":"replaced","text":"you came back on another connection"}'
    ]
    assert await alice.lines(2) == ["-- bob left (replaced)", "-- bob joined"]
    await new.say({"kind": "message", "text": "back"})
    assert await alice.line() == "bob: back"
    assert house.service.statistics().ended[CloseReason.REPLACED] == 1


@pytest.mark.parametrize("late", [False, True])
async def test_the_token_of_a_guest_gives_the_guest_name_back(house: House, late: bool) -> None:
    alice = await house.enter("alice")
    _, welcome = await house.welcome()
    assert await alice.line() == "-- guest1 joined"
    new = await house.knock()
    if late:
        assert await alice.line() == "-- guest2 joined"
    await new.say(f'/json {{"token":"{welcome["token"]}"}}')
    assert (await new.object())["nick"] == "guest1"
    expected = ["-- guest1 left (replaced)", "-- guest1 joined"]
    if late:
        expected[1] = "-- guest2 is now guest1"
    assert await alice.lines(2) == expected


async def test_a_late_hello_with_the_token_takes_the_nick_back(house: House) -> None:
    alice = await house.enter("alice")
    old, welcome = await house.welcome("bob")
    new = await house.knock()
    assert await alice.lines(2) == ["-- bob joined", "-- guest1 joined"]
    await new.say(f'/json {{"nick":"bob","token":"{welcome["token"]}"}}')
    assert (await new.object())["nick"] == "bob"
    assert (await old.rest())[-1].startswith('{"kind":"bye","reason":"replaced"')
    assert await alice.lines(2) == ["-- bob left (replaced)", "-- guest1 is now bob"]


async def test_a_token_that_is_wrong_gives_no_right(house: House) -> None:
    await house.enter_json("bob")
    denied = await house.knock()
    await denied.say('/json {"nick":"bob","token":"wrong"}')
    assert (await denied.object())["code"] == "nick_taken"
    fresh, welcome = await house.welcome("carol", token="wrong")
    assert welcome["nick"] == "carol"
    await fresh.say({"kind": "quit"})
    await fresh.rest()
