"""Other ways to a server than a host and a port: WebSockets, Unix sockets, TLS."""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from websockets.frames import Opcode
from websockets.server import ServerProtocol

import chatroom
from chatroom.client.errors import RoomClosed, Unreachable
from chatroom.client.transport import websocket
from tests.client.fake import FakeRoom
from tests.client.reading import read
from tests.client.web_relay import WebRelay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@pytest.fixture
async def web(nursery: trio.Nursery, fake: FakeRoom) -> WebRelay:
    relay = WebRelay(fake.port)
    await nursery.start(relay.run)
    return relay


async def test_says_and_hears_over_a_websocket(web: WebRelay, fake: FakeRoom) -> None:
    async with chatroom.connect(web.url, nick="alice") as room:
        fake.happen("message", "bob", text="hello")
        assert await room.say("hi") == 2
        assert await room.who() == ["alice"]
        assert await read(room, 1) == ["1 hello"]
    request = web.sockets[0].request
    assert request is not None
    assert request.path == "/ws"
    assert request.headers["Host"] == f"127.0.0.1:{web.port}"
    assert request.headers["Sec-WebSocket-Protocol"] == "chatroom.v1"
    assert "Origin" not in request.headers
    texts = [bytes(f.data) for f in web.sockets[0].received if f.opcode is Opcode.TEXT]
    assert texts[0] == b'/json {"presence":true,"echo":false,"nick":"alice"}'
    assert texts[-1].startswith(b'{"kind":"quit"')
    assert web.sockets[0].close_code == 1000  # the closing handshake was finished
    assert fake.connections == []


@pytest.mark.parametrize("fragment_bytes", [1, 7, 10**9])
async def test_messages_in_pieces_with_pings_between(
    web: WebRelay, fake: FakeRoom, fragment_bytes: int
) -> None:
    web.fragment_bytes, web.pings = fragment_bytes, True
    async with chatroom.connect(web.url, nick="alice") as room:
        for number in range(5):
            fake.happen("message", "bob", text=f"häh {number}")
        assert await read(room, 5) == [f"{number + 1} häh {number}" for number in range(5)]
        assert await room.say("hi") == 6
    pongs = [bytes(f.data) for f in web.sockets[0].received if f.opcode is Opcode.PONG]
    assert pongs[0] == b"0"


async def test_many_requests_share_a_frame(web: WebRelay, fake: FakeRoom) -> None:
    async with chatroom.connect(web.url, nick="alice") as room:
        receipts = [room.say_nowait(str(number)) for number in range(50)]
        assert [await receipt.wait() for receipt in receipts] == list(range(1, 51))
    frames = [f for f in web.sockets[0].received if b'"message"' in bytes(f.data)]
    assert len(frames) == 1


async def test_resumes_over_websockets(
    quick_clock: trio.testing.MockClock, web: WebRelay, fake: FakeRoom
) -> None:
    async with chatroom.connect(web.url, nick="alice", resume=True) as room:
        for number in range(5):
            fake.happen("message", "bob", text=str(number))
            await web.sockets[-1].stream.aclose()
            fake.happen("message", "bob", text="meanwhile")
            assert await read(room, 2) == [
                f"{3 * number + 1} {number}",
                f"{3 * number + 2} meanwhile",
            ]
            assert await room.say("hi") == 3 * number + 3
        assert room.statistics().reconnects == 5


async def test_a_close_frame_ends_the_connection_with_its_words(
    web: WebRelay, fake: FakeRoom
) -> None:
    async with chatroom.connect(web.url, nick="alice", reconnect=False) as room:
        close = partial(ServerProtocol.send_close, code=1013, reason="later")
        await web.sockets[0].act(close)
        with pytest.raises(RoomClosed, match=r"closed the WebSocket with 1013 \(later\)"):
            await read(room, 1)
    assert web.sockets[0].close_code == 1013


async def test_a_bye_before_the_close_frame_is_the_reason(web: WebRelay, fake: FakeRoom) -> None:
    async with chatroom.connect(web.url, nick="alice") as room:
        fake.connections[0].send({"kind": "bye", "reason": "kicked", "text": "go away"})
        fake.connections[0].close()
        with pytest.raises(RoomClosed, match="go away") as caught:
            await read(room, 1)
        assert caught.value.code == "kicked"


async def test_a_server_that_does_not_finish_the_closing_is_not_waited_for(
    quick_clock: trio.testing.MockClock, web: WebRelay, fake: FakeRoom
) -> None:
    async with chatroom.connect(web.url, nick="alice", reconnect=False) as room:
        began = trio.current_time()
        web.sockets[0].lingers = True
        await web.sockets[0].send_raw(b"\x88\x02\x03\xe9")  # 1001, by hand: it stays open
        with pytest.raises(RoomClosed, match="1001"):
            await read(room, 1)
        assert trio.current_time() - began == pytest.approx(websocket.CLOSE_SECONDS)


async def test_a_half_open_websocket_is_noticed(
    quick_clock: trio.testing.MockClock, web: WebRelay, fake: FakeRoom
) -> None:
    async with chatroom.connect(web.url, reconnect=False, heartbeat_seconds=5) as room:
        fake.mute = True
        with pytest.raises(RoomClosed, match="silent for 10 s"):
            await read(room, 1)


FAULTS = {
    "a masked frame": b"\x81\x80\0\0\0\0",
    "a reserved bit": b"\xc1\x00",
    "an unknown opcode": b"\x83\x00",
    "a long ping": b"\x89\x7e\x00\x7e" + bytes(126),
    "a continuation of nothing": b"\x80\x00",
    "a message within a message": b"\x01\x01a\x81\x01b",
    "more than there may be": b"\x81\x7f" + (2**40).to_bytes(8, "big"),
    "bytes that are no text": b"\x81\x02{\xff",
    "a binary message": b"\x82\x02{}",
    "no json": b"\x81\x02no",
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_a_server_that_breaks_the_protocol_is_left_and_resumed(
    quick_clock: trio.testing.MockClock, web: WebRelay, fake: FakeRoom, fault: bytes
) -> None:
    async with chatroom.connect(web.url, nick="alice", resume=True) as room:
        await web.sockets[0].send_raw(fault)
        while len(web.sockets) < 2:
            await room.next_item()
        fake.happen("message", "bob", text="a")
        assert await read(room, 1) == ["1 a"]


@pytest.mark.parametrize("status", [404, 403, 426, 500, 200])
async def test_a_refused_handshake_says_so(web: WebRelay, status: int) -> None:
    web.status = status
    with pytest.raises(Unreachable, match=f"{web.url} answers {status} .*no chatroom"):
        async with chatroom.connect(web.url):
            pass


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"hello\r\n", "does not speak WebSocket"),
        (b"HTTP/1.1 101 Fine\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", "speak WebSocket"),
        (b"", "does not speak WebSocket"),
        (b"x" * 100_000, "does not speak WebSocket"),
    ],
)
async def test_what_is_no_websocket(nursery: trio.Nursery, answer: bytes, complaint: str) -> None:
    async def other(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(answer)

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, other, [listener])
    with pytest.raises(Unreachable, match=complaint):
        async with chatroom.connect(f"ws://127.0.0.1:{listener.socket.getsockname()[1]}/"):
            pass
    nursery.cancel_scope.cancel()


async def test_a_websocket_of_something_else(nursery: trio.Nursery) -> None:
    """An echo: its first message is the hello."""

    async def echo(stream: trio.SocketStream) -> None:
        async with stream:
            while chunk := await stream.receive_some():
                await stream.send_all(bytes(chunk).removeprefix(b"/json "))

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, echo, [listener])
    relay = WebRelay(listener.socket.getsockname()[1])
    await nursery.start(relay.run)
    with pytest.raises(Unreachable, match="no chatroom server"):
        async with chatroom.connect(relay.url):
            pass
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "address",
    ["ws://", "ws:///ws", "ws://[::1", "ws://127.0.0.1:99999/ws", "ws://127.0.0.1:x/", "unix:",
     "unix:/does/not/exist", "unix:/\0", "unix:/" + 200 * "x", "ws://127.0.0.1:1/", "\0", "a b"],
)  # fmt: skip
async def test_an_address_where_nothing_can_be(address: str) -> None:
    with pytest.raises(Unreachable) as caught:
        async with chatroom.connect(address):
            pass
    assert len(str(caught.value).splitlines()) == 1


async def test_nobody_listens_at_a_websocket() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}/ws"
    await listener.aclose()
    with pytest.raises(Unreachable, match=f"nothing listens at {url}"):
        async with chatroom.connect(url):
            pass


async def test_a_guest_who_was_welcomed_before_the_hello_came_is_somebody_else(
    web: WebRelay, fake: FakeRoom
) -> None:
    """A slow network brings the hello later than the server waits for it."""
    guest = {"kind": "welcome", "protocol": 1, "room": "lobby", "session": "FAKE000001",
             "nick": "guest7", "token": "g", "seq": 0, "members": [], "member_count": 1,
             "limits": {"text": 1}, "multicast": None}  # fmt: skip

    fake.before = lambda connection, request: (
        (
            connection.send(guest) if request["kind"] == "hello" else None  # type: ignore[func-returns-value]
        )
        is not None
    )
    async with chatroom.connect(web.url, nick="alice") as room:
        assert room.nick == "alice"
        assert room.text_limit_bytes == 1024
    async with chatroom.connect(web.url, after=0) as room:
        assert room.text_limit_bytes == 1024


# Unix sockets


async def test_a_unix_socket(nursery: trio.Nursery, fake: FakeRoom, tmp_path: Path) -> None:
    path = tmp_path / "room.sock"
    sock = trio.socket.socket(trio.socket.AF_UNIX)
    await sock.bind(str(path))
    sock.listen()
    listener = trio.SocketListener(sock)
    nursery.start_soon(trio.serve_listeners, fake.handle, [listener])
    async with chatroom.connect(f"unix:{path}", nick="alice") as room:
        assert await room.say("hi") == 1
    nursery.cancel_scope.cancel()


# TLS: with ciphers that need no certificate, so that no key stands here


def anonymous(side: int) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ADH:AECDH:@SECLEVEL=0")
    return context


async def serve_encrypted(
    nursery: trio.Nursery, handler: Callable[[trio.SSLStream[trio.SocketStream]], Awaitable[object]]
) -> int:
    async def handle(stream: trio.SocketStream) -> None:
        context = anonymous(ssl.PROTOCOL_TLS_SERVER)
        encrypted = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        try:
            await handler(encrypted)
        except trio.BrokenResourceError:
            await trio.aclose_forcefully(stream)

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, handle, [listener])
    port: int = listener.socket.getsockname()[1]
    return port


async def test_tls(nursery: trio.Nursery, fake: FakeRoom) -> None:
    port = await serve_encrypted(nursery, fake.handle)
    context = anonymous(ssl.PROTOCOL_TLS_CLIENT)
    async with chatroom.connect(port=port, nick="alice", tls=context) as room:
        assert await room.say("hi") == 1
    nursery.cancel_scope.cancel()


async def test_a_websocket_over_tls(nursery: trio.Nursery, web: WebRelay, fake: FakeRoom) -> None:
    port = await serve_encrypted(nursery, web.serve)
    context = anonymous(ssl.PROTOCOL_TLS_CLIENT)
    url = f"wss://127.0.0.1:{port}/ws"
    async with chatroom.connect(url, nick="alice", tls=context) as room:
        assert await room.say("hi") == 1
    nursery.cancel_scope.cancel()


async def test_who_cannot_prove_its_name_is_not_talked_to(
    nursery: trio.Nursery, fake: FakeRoom
) -> None:
    port = await serve_encrypted(nursery, fake.handle)
    with pytest.raises(Unreachable, match=f"no TLS with 127.0.0.1:{port}"):
        async with chatroom.connect(f"wss://127.0.0.1:{port}/ws"):
            pass
    assert fake.hellos == []
    nursery.cancel_scope.cancel()


async def test_a_server_without_tls(nursery: trio.Nursery) -> None:
    async def plain(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.send_all(b"-- welcome\n")
            await stream.receive_some()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, plain, [listener])
    port = listener.socket.getsockname()[1]
    with pytest.raises(Unreachable, match="no TLS with"):
        async with chatroom.connect(port=port, tls=anonymous(ssl.PROTOCOL_TLS_CLIENT)):
            pass
    nursery.cancel_scope.cancel()


async def test_a_nick_in_the_ports_place_is_a_mistake_that_is_named() -> None:
    with pytest.raises(TypeError, match=r"not 'bob'.*nick="):
        async with chatroom.connect("ws://127.0.0.1:9/ws", "bob"):  # type: ignore[arg-type]
            pass  # nobody gets here
