"""A server that sends anything: the client's own errors come out, and nothing else."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

import chatroom
from chatroom.client import Room
from chatroom.client.errors import RoomError
from chatroom.client.inbox import MOST_NOTICES
from chatroom.client.terminal.colours import Colours
from chatroom.client.terminal.people import People
from chatroom.client.terminal.render import Renderer
from tests.client.fake import FakeConnection, FakeRoom, Line
from tests.client.reading import read

WELCOME = msgspec.json.encode(
    {
        "kind": "welcome",
        "protocol": 1,
        "room": "lobby",
        "session": "S",
        "nick": "al",
        "token": "t",
        "seq": 3,
        "members": ["al"],
        "member_count": 1,
        "limits": {"text": 10},
        "multicast": None,
        "resumed": "partial",
    }
)

KINDS = """message action join leave rename gap ack members history pong error presence help bye
welcome later""".split()  # noqa: SIM905

values = st.one_of(
    st.sampled_from([0, 1, 2, 3, 4, 10**18, 10**30, -1, 1.5, None, True, "", "1", "2", "al"]),
    st.text(max_size=5),
    st.lists(st.integers(0, 3), max_size=2),
)
events = st.fixed_dictionaries(
    {
        "seq": st.integers(0, 9),
        "time": st.sampled_from(["", "2026-13-45", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"]),
        "kind": st.sampled_from(KINDS[:5]),
        "nick": st.text(max_size=3),
    },
    optional={"text": st.text(max_size=9), "to": st.text(max_size=3), "reason": st.text()},
)
objects = st.fixed_dictionaries(
    {"kind": st.sampled_from(KINDS)},
    optional={
        **dict.fromkeys(["seq", "time", "nick", "text", "to", "from", "more", "code"], values),
        **dict.fromkeys(["members", "member_count", "reason", "announced", "session"], values),
        "id": st.sampled_from(["1", "2", "3", 1, None]),
        "events": st.lists(events, max_size=3),
    },
)
lines = st.one_of(st.one_of(events, objects).map(msgspec.json.encode), st.binary(max_size=30))


@settings(max_examples=60, deadline=None)
@given(st.lists(lines, max_size=10), st.booleans(), st.booleans())
def test_no_server_breaks_the_client(sent: list[bytes], resume: bool, welcome: bool) -> None:
    clock = trio.testing.MockClock(autojump_threshold=0.005)
    trio.run(_meet, sent, resume, welcome, clock=clock)


async def _meet(sent: list[bytes], resume: bool, welcome: bool) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with stream:
                await stream.receive_some()
                await stream.send_all(b"\n".join([*[WELCOME] * welcome, *sent, b""]))
                await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        with suppress(RoomError), trio.move_on_after(20):
            connection = chatroom.connect(port=port, resume=resume, give_up_seconds=5)
            async with connection as room, trio.open_nursery() as visit:
                visit.start_soon(_ask, room)
                await _show(room)
                visit.cancel_scope.cancel()
        nursery.cancel_scope.cancel()


#: Sets a title, clears the screen, turns the text around, goes back to the line's beginning.
ESCAPES = "\x1b]0;pwned\x07\x1b[2J\u202e\x9b31m\r\n"


@pytest.mark.parametrize(
    ("welcome", "said"),
    [
        (False, {"kind": "error", "code": f"banned{ESCAPES}", "text": ESCAPES}),
        (False, {"kind": "bye", "reason": "kicked", "text": ESCAPES}),
        (True, {"kind": "bye", "reason": "kicked", "text": ESCAPES}),
        (True, {"kind": "error", "code": f"muted{ESCAPES}", "text": ESCAPES, "id": "1"}),
    ],
    ids=["refused hello", "bye for a welcome", "bye", "refused request"],
)
async def test_an_error_can_be_printed_whatever_the_server_has_said(
    nursery: trio.Nursery, welcome: bool, said: dict[str, str]
) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        if welcome:
            await stream.send_all(WELCOME + b"\n")
            await stream.receive_some()
        await stream.send_all(msgspec.json.encode(said) + b"\n")
        await stream.aclose()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, serve, [listener])
    port = listener.socket.getsockname()[1]
    with pytest.raises(RoomError) as caught:  # refused at the door, or inside
        async with chatroom.connect(port=port, reconnect=False) as room:
            await room.ping()
    assert f"{caught.value}{caught.value.code}".isprintable()


async def test_an_ack_that_nobody_asked_for_hides_no_event(fake: FakeRoom) -> None:
    async with chatroom.connect(port=fake.port) as room:
        fake.connections[0].send({"kind": "ack", "id": "nobody", "seq": 2})
        for text in "abc":
            fake.happen("message", "bob", text=text)
        assert await read(room, 3) == ["1 a", "2 b", "3 c"]
        assert room.statistics().acked == 0


async def test_notices_do_not_pile_up_while_an_answer_is_waited_for(
    quick_clock: trio.testing.MockClock, fake: FakeRoom
) -> None:
    """Events that nobody reads are left out, and fetched later; these could not be."""

    def flood(connection: FakeConnection, request: Line) -> bool:
        fake.before = lambda connection, request: False
        line = msgspec.json.encode({"kind": "presence", "announced": True, "member_count": 1})
        connection.send_raw((line + b"\n") * (MOST_NOTICES + 10))
        return True

    async with chatroom.connect(port=fake.port, resume=True) as room:
        fake.before = flood
        await room.ping()
        assert room.statistics().reconnects == 1
        assert room.waiting < MOST_NOTICES + 10


async def _ask(room: Room) -> None:
    with suppress(RoomError):
        await room.say("x")
    with suppress(RoomError):
        await room.who()
        await room.history()


async def _show(room: Room) -> None:
    people, render = People(), Renderer(Colours(wanted=True), "al")
    with suppress(RoomError):
        async for item in room.items():
            people.see(item)
            assert "\n" not in "".join(render.item(item))
            if room.statistics().reconnects > 2:
                return
