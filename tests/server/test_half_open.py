"""Who begins and does not go on: whatever it has begun has a time in which it ends, also if a byte
comes now and then."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from chatroom.event import CloseReason
from chatroom.settings import Access, AccessSettings
from tests.certificates import make_certificate, write_pair
from tests.conftest import OpenHouse
from tests.protocol.websocket.test_handshake import shakes
from tests.visiting import Visitor

#: Ten seconds, or what it is, in a test.
PATIENCE = 0.3

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: b\r\n" * 100_000
CLIENT_HELLO = b"\x16\x03\x01\x3f\x00\x01\x00\x3e\xfc\x03\x03" + bytes(100_000)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for where in (
        "chatroom.protocol.http.session.REQUEST_SECONDS",
        "chatroom.protocol.http.session.KEEP_ALIVE_SECONDS",
        "chatroom.transport.tls_handshake.HANDSHAKE_SECONDS",
        "chatroom.server.serving.doorstep.HANDSHAKE_SECONDS",
        "chatroom.protocol.irc.session.REGISTER_SECONDS",
        "chatroom.server.turn.gate.LOGIN_SECONDS",
        "chatroom.protocol.opening.FIRST_LINE_SECONDS",
        "chatroom.transport.epoll.LINGER_SECONDS",
    ):
        monkeypatch.setattr(where, PATIENCE)


async def _drip(visitor: Visitor, data: bytes) -> None:
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        for number in range(len(data)):
            await visitor.stream.send_all(data[number : number + 1])
            await trio.sleep(0.02)


async def _ended(open_room: OpenHouse, begun: bytes, then: bytes, **settings: object) -> bytes:
    """Say what is begun, then a byte at a time: what it is told until the server closes."""
    house = await open_room(**settings)
    visitor = await house.knock()
    await visitor.send(begun)
    told = b""
    with trio.fail_after(10 * PATIENCE + 5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drip, visitor, then)
            with contextlib.suppress(trio.BrokenResourceError):
                while chunk := await visitor.receive():
                    told += chunk
            await house.until(lambda: house.service.statistics().connections == 0)
            nursery.cancel_scope.cancel()
    assert house.service.statistics().members == 0
    assert house.service.statistics().ended
    return told


@pytest.mark.parametrize("then", [b"", REQUEST[40:]], ids=["silent", "dripping"])
async def test_an_http_request(open_room: OpenHouse, then: bytes) -> None:
    told = await _ended(open_room, REQUEST[:40], then)
    assert told.startswith(b"HTTP/1.1 408 ")


async def test_http_between_requests(open_room: OpenHouse) -> None:
    told = await _ended(open_room, b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", b"")
    assert told.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("then", [b"", CLIENT_HELLO[20:]], ids=["silent", "dripping"])
async def test_a_tls_handshake(open_room: OpenHouse, tmp_path: Path, then: bytes) -> None:
    pair = write_pair(tmp_path, make_certificate("localhost"))
    await _ended(open_room, CLIENT_HELLO[:20], then, tls=pair)


@pytest.mark.parametrize("then", [b"", b"PING x\r\n" * 1000], ids=["silent", "dripping"])
async def test_an_irc_registration(open_room: OpenHouse, then: bytes) -> None:
    told = await _ended(open_room, b"NICK bob\r\n", then)
    assert told.endswith(b"ERROR :Closing link: (idle) not registered within 0.3 seconds\r\n")


@pytest.fixture
def secret(tmp_path: Path) -> AccessSettings:
    file = tmp_path / "secret"
    file.write_text("sesame, open\n")
    file.chmod(0o600)
    return AccessSettings(access=Access.SECRET, secret_file=str(file))


LOG_INS: dict[str, Callable[[], bytes]] = {
    "plain": lambda: b"hello\n",
    "silence": lambda: b"",
    "half a line": lambda: b"hel",
    "websocket": shakes,
}


@pytest.mark.parametrize("begun", LOG_INS)
@pytest.mark.parametrize("then", [b"", b"/ping\n" * 1000], ids=["silent", "dripping"])
async def test_a_log_in(
    open_room: OpenHouse, secret: AccessSettings, begun: str, then: bytes
) -> None:
    if begun == "websocket" and then:
        then = b"\x89\x80\0\0\0\0" * 1000  # pings
    await _ended(open_room, LOG_INS[begun](), then, access=secret)


async def test_a_first_line_that_does_not_end_makes_a_guest_who_is_heard_of(
    open_room: OpenHouse,
) -> None:
    """It takes a place as any guest does: its address has only so many."""
    house = await open_room()
    alice = await house.enter("alice")
    visitor = await house.knock()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_drip, visitor, b"x" * 1000)
        assert await alice.line() == "-- guest1 joined"
        nursery.cancel_scope.cancel()
    assert CloseReason.IDLE not in house.service.statistics().ended
