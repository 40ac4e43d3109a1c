"""WebSockets in a running room, in both modes."""

from __future__ import annotations

import json

import pytest
import trio
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from chatroom.event import CloseReason
from tests.conftest import OpenHouse
from tests.protocol.websocket.framing import (
    BINARY,
    CONT,
    PING,
    PONG,
    TEXT,
    Got,
    in_fragments,
    masked,
    says,
)
from tests.visiting import PATIENCE_SECONDS, House, Visitor
from tests.web.sockets import SocketVisitor, enter_socket, knock_socket

LOUD = "x" * 1000


async def test_a_conversation(house: House) -> None:
    bob = await house.enter("bob")
    web = await enter_socket(house, "web")
    assert await bob.line() == "-- web joined"
    await web.say(
        {"kind": "message", "text": "hi", "id": "1"},
        {"kind": "action", "text": "waves"},
        {"kind": "ping", "id": "2"},
    )
    assert await bob.lines(2) == ["web: hi", "* web waves"]
    assert await web.objects(2) == [
        {"kind": "ack", "id": "1", "seq": 3},
        {"kind": "pong", "id": "2"},
    ]
    await bob.say("hello", "/me nods")
    said = await web.objects(2)
    assert [(event["seq"], event["kind"], event["text"]) for event in said] == [
        (5, "message", "hello"),
        (6, "action", "nods"),
    ]
    await web.say({"kind": "who"}, {"kind": "history", "limit": 2})
    members, history = await web.objects(2)
    assert members["members"] == ["bob", "web"]
    assert [event["seq"] for event in history["events"]] == [5, 6]


async def test_a_batch_is_one_frame_without_what_one_has_said_oneself(house: House) -> None:
    listener = await enter_socket(house, "listener")
    talker = await enter_socket(house, "talker")
    assert (await listener.object())["kind"] == "join"
    requests: list[dict[str, object]] = [{"kind": "message", "text": f"{n}"} for n in range(50)]
    await talker.say(*requests[:25], {"kind": "ping"}, *requests[25:], {"kind": "ping"})
    frame = await listener.frame()
    assert [json.loads(line)["text"] for line in frame.lines] == [f"{n}" for n in range(50)]
    assert (await talker.frame()).lines == ['{"kind":"pong"}', '{"kind":"pong"}']


async def test_fragments_and_pings_between_them(house: House) -> None:
    bob = await house.enter("bob")
    web = await enter_socket(house, "web")
    assert await bob.line() == "-- web joined"
    text = "gr\u00fc\u00dfe \U0001f600"
    message = json.dumps({"kind": "message", "text": text}, ensure_ascii=False).encode()
    await web.visitor.send(in_fragments(message, 1, between=masked(PING, b"?")))
    assert [await web.frame() for _ in range(len(message) - 1)] == [Got(PONG, b"?")] * (
        len(message) - 1
    )
    assert await bob.line() == f"bob: {text}".replace("bob", "web")


async def test_a_silent_one_hears_the_room_as_a_guest_and_may_say_hello_later(house: House) -> None:
    bob = await house.enter("bob")
    web = await knock_socket(house)
    assert (await web.object())["nick"] == "guest1"
    await bob.say("hello")
    assert (await web.object())["text"] == "hello"
    await web.say({"nick": "web", "presence": False})
    assert (await web.object())["nick"] == "web"
    assert await bob.lines(2) == ["-- guest1 joined", "-- guest1 is now web"]


async def test_who_comes_back_misses_nothing(house: House) -> None:
    bob = await house.enter("bob")
    web = await enter_socket(house, "web")
    await web.close()
    await bob.settle()
    await bob.say(*(f"{number} {LOUD}" for number in range(300)))
    await bob.settle()
    web = await knock_socket(house)
    await web.say({"nick": "web", "after": 2})
    welcome = await web.object()
    assert welcome["resumed"] == "complete"
    events = await web.objects(302)
    assert [event["seq"] for event in events] == list(range(3, 305))
    assert [event["text"] for event in events[1:-1]] == [f"{n} {LOUD}" for n in range(300)]


# One room, three formats


async def test_everybody_hears_everything_in_one_order(house: House, nursery: trio.Nursery) -> None:
    count = 60
    plain, lines = await house.enter("plain"), await house.enter_json("lines")
    web, listener = await enter_socket(house, "web"), await house.enter_json("listener")

    async def talk(talker: Visitor | SocketVisitor, name: str) -> None:
        for number in range(count):
            text = f"{name} {number}"
            if talker is plain:
                await plain.say(text)
            elif isinstance(talker, SocketVisitor):
                await talker.say({"kind": "message", "text": text})
            else:
                await talker.say({"kind": "message", "text": text})
            await trio.lowlevel.checkpoint()

    async def hear(visitor: Visitor | SocketVisitor, nick: str) -> list[str]:
        heard: list[str] = []
        while len(heard) < (count * 3 if nick == "listener" else count * 2):
            if visitor is plain:
                line = await plain.line()
                if not line.startswith("-- "):
                    heard.append(line.partition(": ")[2])
            else:
                event = await visitor.object()
                if event["kind"] == "message":
                    heard.append(event["text"])
        return heard

    members: dict[str, Visitor | SocketVisitor] = {"plain": plain, "lines": lines, "web": web}
    async with trio.open_nursery() as talking:
        for name, talker in members.items():
            talking.start_soon(talk, talker, name)
    order = await hear(listener, "listener")
    for nick, visitor in members.items():
        heard = await hear(visitor, nick)
        assert heard == [text for text in order if not text.startswith(nick)]


# How it ends


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


async def test_who_is_silent_is_pinged_and_lost_if_it_does_not_answer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness, web = await _joined(house, "web")
    monkeypatch.setattr("chatroom.protocol.websocket.session.PING_SECONDS", 0.25)
    await web.visitor.send(masked(PONG))  # from here on it is waited for that long
    assert await web.frame() == Got(PING, b"")
    await web.visitor.send(masked(PONG))
    assert await web.frame() == Got(PING, b"")
    assert await witness.line() == "-- web left (lost)"
    (bye,), close = await web.rest()
    assert bye["reason"] == "lost"
    assert close.code == 1013


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


async def test_the_librarys_own_client_talks_and_closes(house: House) -> None:
    bob = await house.enter("bob")
    visitor = await house.knock()
    client = ClientProtocol(parse_uri("ws://localhost/ws"))
    client.send_request(client.connect())

    async def next_frame() -> Frame:
        while True:
            for data in client.data_to_send():
                if data:
                    await visitor.send(data)
            for event in client.events_received():
                if isinstance(event, Frame):
                    return event
            with trio.fail_after(PATIENCE_SECONDS):
                chunk = await visitor.stream.receive_some(65536)
            client.receive_data(chunk)

    assert json.loads(bytes((await next_frame()).data))["kind"] == "welcome"  # a guest's
    client.send_text(b'{"kind":"message","text":"hi"}')
    client.send_ping(b"there?")
    pong = await next_frame()
    assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"there?")
    assert await bob.lines(2) == ["-- guest1 joined", "guest1: hi"]
    client.send_close(1000, "so long")
    assert (await next_frame()).opcode is Opcode.CLOSE
    assert client.close_rcvd is not None
    assert client.close_rcvd.code == 1000
