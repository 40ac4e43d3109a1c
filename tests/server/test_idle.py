"""Who says nothing: asked in the formats that can, and closed when nothing comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from chatroom.event import CloseReason
from chatroom.protocol.irc.render import Irc
from chatroom.protocol.jsonlines.render import JsonLines
from chatroom.protocol.plain.render import PLAIN
from chatroom.protocol.session import Venue
from chatroom.protocol.websocket.render import SocketLines
from chatroom.server.serving.vigil import Vigil
from tests.irc.speaking import register
from tests.protocol.websocket.framing import PING, PONG, Got, masked
from tests.server.paper import PaperRoom, enters
from tests.web.sockets import enter_socket

if TYPE_CHECKING:
    from chatroom.protocol.format import Format
    from tests.conftest import OpenHouse

IDLE_SECONDS = 80.0
_PING = SocketLines().ping


class _Watched:
    """A vigil over one member on paper."""

    def __init__(self, form: Format) -> None:
        self.paper = PaperRoom(1)
        self.paper.turn([(0, enters())])
        (self.connection,) = self.paper.connections
        self.connection.format = form
        self.outbox = self.paper.outboxes[0]
        self.outbox.text = b""
        self.vigil = Vigil(self.paper.connections, self.paper.parts.endings, IDLE_SECONDS)

    async def pass_time(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self.paper.turn([])

    @property
    def ended(self) -> object:
        return self.connection.close_reason


@pytest.mark.parametrize("form", [SocketLines(), Irc(Venue())])
async def test_who_is_silent_is_asked_and_closed_if_nothing_comes(
    form: Format, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    watched = _Watched(form)
    nursery.start_soon(watched.vigil.run)
    await watched.pass_time(IDLE_SECONDS / 2 - 1)
    assert watched.outbox.text == b""
    await watched.pass_time(IDLE_SECONDS / 4)
    assert watched.outbox.text == form.ping != b""
    assert watched.ended is None
    await watched.pass_time(IDLE_SECONDS / 2)
    assert watched.outbox.text == form.ping  # it is asked once
    assert watched.ended is CloseReason.IDLE


async def test_any_byte_is_a_sign_of_life(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    watched = _Watched(SocketLines())
    nursery.start_soon(watched.vigil.run)
    for count in range(1, 5):
        await watched.pass_time(IDLE_SECONDS * 3 / 4)
        assert watched.outbox.text == _PING * count
        watched.connection.received_bytes += 1
    assert watched.ended is None


@pytest.mark.parametrize("form", [PLAIN, JsonLines()])
async def test_who_cannot_be_asked_may_be_silent_as_long_as_it_likes(
    form: Format, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    watched = _Watched(form)
    nursery.start_soon(watched.vigil.run)
    await watched.pass_time(1000 * IDLE_SECONDS)
    assert watched.outbox.text == b""
    assert watched.ended is None


async def test_a_websocket_that_does_not_answer_is_closed_with_idle(open_room: OpenHouse) -> None:
    house = await open_room(idle_seconds=0.8)
    witness = await house.enter("witness")
    web = await enter_socket(house, "web")
    assert await witness.line() == "-- web joined"
    assert await web.frame() == Got(PING, b"")
    await web.visitor.send(masked(PONG))
    assert await web.frame() == Got(PING, b"")
    assert await witness.line() == "-- web left (idle)"
    (bye,), close = await web.rest()
    assert bye["reason"] == "idle"
    assert (close.code, close.reason) == (4408, "idle")


async def test_an_irc_client_is_asked_by_a_ping(open_room: OpenHouse) -> None:
    house = await open_room(idle_seconds=0.8)
    client = await register(house, "ann")
    assert await client.visitor.line() == "PING :chatroom.local\r"
    await client.say("PONG :chatroom.local")
    assert await client.visitor.line() == "PING :chatroom.local\r"
    text = "0.8 seconds of silence, and no answer to a ping"
    assert await client.visitor.line() == f"ERROR :Closing link: (idle) {text}\r"
