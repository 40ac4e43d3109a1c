"""How WebSockets end in a running room: with which code, and what the others hear of it."""

from __future__ import annotations

import pytest
import trio

from chatroom.event import CloseReason
from tests.conftest import OpenHouse
from tests.protocol.websocket.framing import (
    BINARY,
    CONT,
    TEXT,
    masked,
    says,
)
from tests.visiting import PATIENCE_SECONDS, House, Visitor
from tests.web.sockets import SocketVisitor, enter_socket, knock_socket

LOUD = "x" * 1000


async def _joined(house: House, nick: str) -> tuple[Visitor, SocketVisitor]:
    witness = await house.enter("witness")
    web = await enter_socket(house, nick)
    assert await witness.line() == f"-- {nick} joined"
    return witness, web


async def test_quit(house: House) -> None:
    witness, web = await _joined(house, "web")
    await web.say({"kind": "quit"})
    (bye,), close = await web.rest()
    assert bye == {"kind": "bye", "reason": "quit", "text": "see you"}
    assert (close.code, close.reason) == (1000, "quit")
    assert await witness.line() == "-- web left (quit)"


@pytest.mark.parametrize("code", [None, 1000, 1001, 4321])
async def test_a_close_is_answered_and_the_room_hears_of_a_leave(
    house: House, code: int | None
) -> None:
    witness, web = await _joined(house, "web")
    await witness.say("hello")
    assert (await web.close(code)).code == code
    assert await witness.line() == "-- web left (quit)"
    with pytest.raises(EOFError):
        await web.frame()


async def test_who_just_closes_has_left_and_who_resets_is_lost(house: House) -> None:
    witness, web = await _joined(house, "web")
    await web.visitor.aclose()
    assert await witness.line() == "-- web left (quit)"
    web = await enter_socket(house, "again")
    assert await witness.line() == "-- again joined"
    web.visitor.reset()
    assert await witness.line() == "-- again left (lost)"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (b"\x81\x02{}", 1002),
        (masked(TEXT, b"x", bits=4), 1002),
        (masked(CONT, b"x"), 1002),
        (masked(BINARY, b"x"), 1003),
        (masked(TEXT, b"\xff"), 1007),
        (masked(TEXT, b"x" * 70_000), 1009),
    ],
)
async def test_what_breaks_the_protocol_is_told_with_its_code(
    house: House, wrong: bytes, code: int
) -> None:
    witness, web = await _joined(house, "web")
    await witness.say("before")
    await witness.settle()
    await web.visitor.send(wrong + says('{"kind":"message","text":"after"}'))
    assert await witness.line() == "-- web left (protocol_error)"
    await witness.say("after")
    (before, bye), close = await web.rest()
    assert before["text"] == "before"
    assert (bye["kind"], bye["reason"]) == ("bye", "protocol_error")
    assert (close.code, close.reason) == (code, "protocol_error")


async def test_a_hello_that_is_refused(house: House) -> None:
    await house.enter("bob")
    for hello, error in (({"nick": "bob"}, "nick_taken"), ({"nick": 7}, "bad_request")):
        web = await knock_socket(house)
        await web.say(hello)
        (refused, bye), close = await web.rest()
        assert (refused["kind"], refused["code"]) == ("error", error)
        assert bye["reason"] == "protocol_error"
        assert close.code == 1008


async def test_a_full_room_says_to_try_again_later(open_room: OpenHouse) -> None:
    house = await open_room(max_clients=1)
    await house.enter("bob")
    web = await knock_socket(house)
    await web.say({"nick": "web"})
    (refused, bye), close = await web.rest()
    assert refused["code"] == "room_full"
    assert bye == {"kind": "bye", "reason": "kicked", "text": "not let in: room_full"}
    assert close.code == 1013


async def test_who_comes_back_with_the_token_replaces_its_own_connection(house: House) -> None:
    web = await knock_socket(house)
    await web.say({"nick": "web"})
    token = (await web.object())["token"]
    again = await knock_socket(house)
    await again.say({"nick": "web", "token": token})
    assert (await again.object())["nick"] == "web"
    (bye,), close = await web.rest()
    assert bye["reason"] == "replaced"
    assert close.code == 4409


async def test_a_shutdown_goes_away(house: House) -> None:
    web = await enter_socket(house, "web")
    silent = await knock_socket(house)
    house.service.drain()
    for one in (web, silent):
        lines, close = await one.rest()
        assert lines[-1]["reason"] == "shutdown"
        assert (close.code, close.reason) == (1001, "shutdown")


async def test_a_slow_reader_gets_whole_frames_and_the_bye(open_room: OpenHouse) -> None:
    house = await open_room(outbox_limit_bytes=200_000)
    stuck = await enter_socket(house, "stuck", receive_buffer_bytes=4096)
    talker = await house.enter("talker")
    said = 0
    with trio.fail_after(2 * PATIENCE_SECONDS):
        while not house.service.statistics().ended.get(CloseReason.SLOW_READER):
            await talker.say(*(f"{said + number} {LOUD}" for number in range(50)))
            said += 50
            await talker.settle()
    lines, close = await stuck.rest()
    text = "more than 200000 bytes were waiting for you to read them"
    assert lines.pop() == {"kind": "bye", "reason": "slow_reader", "text": text}
    assert (close.code, close.reason) == (4408, "slow_reader")
    heard = [event["text"] for event in lines if event["kind"] == "message"]
    assert heard == [f"{number} {LOUD}" for number in range(len(heard))]
    assert 0 < len(heard) < said
