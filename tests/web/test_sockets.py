"""WebSockets in a running room, in both modes."""

from __future__ import annotations

import json

import trio
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from tests.protocol.websocket.framing import (
    PING,
    PONG,
    Got,
    in_fragments,
    masked,
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
