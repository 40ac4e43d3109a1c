"""HTTP on the room's port, in both modes; and that nothing of it is ever heard in the room."""

from __future__ import annotations

import gzip
from importlib.resources import files

import pytest
import trio

from chatroom.settings import WebSettings
from tests.conftest import OpenHouse
from tests.visiting import PATIENCE_SECONDS, House, Visitor
from tests.web.exchange import Response, asks, read_responses
from tests.web.sockets import knock_socket


async def _everything(visitor: Visitor) -> bytes:
    """All bytes until the server closes."""
    data = b""
    with trio.fail_after(PATIENCE_SECONDS):
        while chunk := await visitor.stream.receive_some(65536):
            data += chunk
    return data


async def _answers(house: House, data: bytes, *methods: str) -> list[Response]:
    visitor = await house.knock()
    await visitor.send(data)
    return read_responses(await _everything(visitor), *methods)


async def test_requests_are_answered_in_order_until_the_last(house: House) -> None:
    data = (
        asks("/healthz")
        + asks("/healthz", method="HEAD")
        + asks("/nowhere")
        + asks("/", method="POST")
        + asks("/ws")
        + asks("/healthz", "Connection: close")
        + asks("/healthz")
    )
    answers = await _answers(house, data, "GET", "HEAD")
    assert [answer.status for answer in answers] == [200, 200, 404, 405, 426, 200]
    assert answers[0].body == b'{"status":"ok"}\n'
    assert [answer.closes for answer in answers] == [False] * 5 + [True]


async def test_the_page_and_all_its_files_are_served(house: House) -> None:
    bodies = {
        "/" if entry.name == "index.html" else f"/{entry.name}": entry.read_bytes()
        for entry in (files("chatroom.web") / "page").iterdir()
        if entry.is_file() and not entry.name.endswith(".py")
    }
    assert "/" in bodies
    requests = [asks(path, "Accept-Encoding: gzip") for path in bodies]
    answers = await _answers(house, b"".join(requests) + asks("/nowhere", version="1.0"))
    assert answers.pop().status == 404
    for (path, body), answer in zip(bodies.items(), answers, strict=True):
        assert answer.status == 200
        assert answer.header("Content-Type") != "application/octet-stream", path
        zipped = answer.has("Content-Encoding")
        assert (gzip.decompress(answer.body) if zipped else answer.body) == body
        known = f"If-None-Match: {answer.header('ETag')}"
        again = asks(path, "Accept-Encoding: gzip", known, "Connection: close")
        assert [known.status for known in await _answers(house, again)] == [304]


async def test_a_connection_is_kept_for_another_request(house: House) -> None:
    visitor = await house.knock()
    for _ in range(3):
        await visitor.send(asks("/healthz"))
        while await visitor.line() != '{"status":"ok"}':
            pass


async def test_who_has_said_all_is_still_answered(house: House) -> None:
    visitor = await house.knock()
    await visitor.send(asks("/healthz"))
    await visitor.stream.send_eof()
    (answer,) = read_responses(await _everything(visitor))
    assert answer.status == 200


async def test_a_request_without_end_and_an_idle_connection_are_closed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatroom.protocol.http.session.REQUEST_SECONDS", 0.05)
    monkeypatch.setattr("chatroom.protocol.http.session.KEEP_ALIVE_SECONDS", 0.05)
    begun, idle = await house.knock(), await house.knock()
    await begun.send(asks("/healthz")[:-2])
    await idle.send(asks("/healthz"))
    (answer,) = read_responses(await _everything(begun))
    assert (answer.status, answer.closes) == (408, True)
    (answer,) = read_responses(await _everything(idle))
    assert (answer.status, answer.closes) == (200, False)


async def test_a_pipeline_goes_as_fast_as_its_client_reads(
    open_room: OpenHouse, nursery: trio.Nursery
) -> None:
    # Three times what may wait for a reader: one that is not waited for would be closed as slow.
    house = await open_room(outbox_limit_bytes=300_000)
    visitor = await house.knock()
    count = 1500
    nursery.start_soon(visitor.send, asks("/healthz") * (count - 1) + asks("/x", version="1.0"))
    await house.until(lambda: house.service.statistics().connections == 1)
    bob = await house.enter("bob")
    for _ in range(20):
        await bob.settle()
    answers = read_responses(await _everything(visitor))
    assert [answer.status for answer in answers] == [200] * (count - 1) + [404]


async def test_without_web_only_health_is_answered_and_the_hole_stays_closed(
    open_room: OpenHouse,
) -> None:
    house = await open_room(web=None)
    witness = await house.enter("witness")
    answers = await _answers(
        house,
        asks("/")
        + asks("/ws", "Upgrade: websocket", "Connection: Upgrade")
        + asks("/healthz", "Connection: close"),
    )
    assert [answer.status for answer in answers] == [404, 404, 200]
    (answer,) = await _answers(house, asks("/", "Content-Length: 6", method="POST") + b"hello\n")
    assert answer.status == 405
    await _assert_heard_nothing(witness)


async def test_names_and_origins_of_others_are_refused(open_room: OpenHouse) -> None:
    house = await open_room(web=WebSettings(hosts=("chat.example.org",)))
    evil = b"GET / HTTP/1.1\r\nHost: evil.example:9009\r\n\r\n"
    own = b"GET /nowhere HTTP/1.1\r\nHost: chat.example.org\r\nConnection: close\r\n\r\n"
    post = evil.replace(b"GET", b"POST")
    answers = await _answers(house, evil + post + own, "GET", "POST", "GET")
    assert [answer.status for answer in answers] == [421, 421, 404]
    origin = asks(
        "/ws", "Upgrade: websocket", "Connection: Upgrade, close", "Origin: http://evil.example"
    )
    (answer,) = await _answers(house, origin)
    assert answer.status == 403


# Nothing of it is heard

#: What a page on another origin can have a browser send, and what it cannot.
_SHAPES = [
    asks("/", "Content-Type: text/plain", "Content-Length: 40", method="POST")
    + b"/nick mallory\r\nI am mallory\r\n/me laughs\r\n",
    asks("/", "Transfer-Encoding: chunked", method="POST") + b"e\r\n/nick mallory\n\r\n0\r\n\r\n",
    asks("/", "Content-Length: 14", "Expect: 100-continue", method="POST") + b"/nick mallory\n",
    asks("/nick%20mallory"),
    asks("/", 'X: /json {"nick":"mallory"}'),
    asks("/", method="OPTIONS"),
    asks("/", method="PUT") + b"hello\n",
    asks("/", method="mallory"),
    asks("/", method="NICK"),
    asks("*", method="PRI", version="2.0") + b"SM\r\n\r\nhello\n",
    asks("localhost:22", method="CONNECT") + b"SSH-2.0-x\r\nhello\n",
    asks("/ws", "Upgrade: websocket", "Connection: Upgrade") + b"hello\n",
    b"GET / HTTP/1.1\nHost: localhost\n\nhello\n",
    b"GET / HTTP/1.1\r\n/nick mallory\r\nhello\r\n\r\n",
    b"\r\n\r\nPOST / HTTP/1.0\r\n\r\nhello\r\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\nhello\n",
    b"GET / HTTP/1.1\r\nX: " + b"a\r\nhello\r\n" * 2000,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello\n",
    b"\x00\x01\x00\x08!\x12\xa4Bhello\nhello\n",
    b"\x05\x01\x00hello\n",
]


async def test_nothing_of_any_request_is_heard_in_the_room(house: House) -> None:
    witness = await house.enter("witness")
    program = await house.enter_json("program")
    assert await witness.line() == "-- program joined"
    for shape in _SHAPES:
        for pieces in ([shape], [shape[:3], shape[3:]], [shape[:20], shape[20:21], shape[21:]]):
            visitor = await house.knock()
            for piece in pieces:
                await visitor.send(piece)
            await visitor.stream.send_eof()
            await _everything(visitor)
    await _assert_heard_nothing(witness)
    await program.say({"kind": "history"})
    history = await program.object()
    assert [event["kind"] for event in history["events"]] == ["join", "join"]


async def test_a_silent_guest_that_goes_on_with_http_says_no_word(house: House) -> None:
    witness = await house.enter("witness")
    visitor = await house.knock()
    assert "you are guest1" in await visitor.line()
    await visitor.send(asks("/", "Content-Length: 6", method="POST") + b"hello\n")
    lines = await visitor.rest()
    assert lines[-1].startswith("-- bye (protocol_error): ")
    assert await witness.lines(2) == ["-- guest1 joined", "-- guest1 left (protocol_error)"]
    await _assert_heard_nothing(witness)


async def _assert_heard_nothing(witness: Visitor) -> None:
    await witness.say("/ping")
    assert await witness.line() == "-- pong"


async def test_the_drain_ends_connections_of_http_too(house: House) -> None:
    idle, begun, socket = await house.knock(), await house.knock(), await knock_socket(house)
    for one in (idle, begun):
        await one.send(asks("/healthz"))
        while await one.line() != '{"status":"ok"}':
            pass
    await begun.send(b"GET / HTTP/1.1\r\n")
    house.service.drain()
    assert await _everything(idle) == b""
    assert await _everything(begun) == b""
    _, close = await socket.rest()
    assert close.code == 1001
