"""The room under TLS, on the same port and in every format."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import random
import socket
import ssl
from pathlib import Path

import pytest
import trio

from chatroom.event import CloseReason
from chatroom.protocol import opening
from chatroom.server.serving import acceptor, doorstep
from chatroom.settings import Access, AccessSettings, RateSettings, TlsSettings
from chatroom.transport import tls_handshake
from chatroom.transport.tls_server import ServerTls
from tests.certificates import make_certificate, trusting_anybody, write_pair
from tests.conftest import OpenHouse
from tests.server.tls_visiting import SClient, TlsVisitor, enter_with_tls, knock_with_tls, openssl
from tests.visiting import PATIENCE_SECONDS, House, Visitor


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> TlsSettings:
    return write_pair(tmp_path_factory.mktemp("tls"), make_certificate("localhost"))


@pytest.fixture
async def house(open_room: OpenHouse, pair: TlsSettings) -> House:
    return await open_room(tls=pair)


async def test_who_pushes_under_it_is_closed_for_that_and_who_waits_is_not(
    open_room: OpenHouse, pair: TlsSettings
) -> None:
    """What is still to be read is in the kernel, encrypted."""
    rates = RateSettings(talk_per_second=100, talk_burst=5, patience_seconds=0.3)
    house = await open_room(tls=pair, rates=rates)
    polite = await enter_with_tls(house, "polite")
    for _ in range(50):
        await polite.say("x", "/ping")
        while await polite.line() != "-- pong":
            pass
    pusher = await enter_with_tls(house, "pusher")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_push, pusher)
        nursery.start_soon(_swallow, polite)
        rest = await pusher.rest_bytes()
        nursery.cancel_scope.cancel()
    assert rest.endswith(b"-- bye (flood): you have pushed for more than 0.3 seconds\n")
    assert house.service.statistics().ended == {CloseReason.FLOOD: 1}


async def _push(visitor: Visitor) -> None:
    with contextlib.suppress(trio.BrokenResourceError):
        while True:
            await visitor.say("x" * 1000)


async def _swallow(visitor: Visitor) -> None:
    while True:
        await visitor.receive()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
async def test_plain_text(house: House, version: str) -> None:
    context = trusting_anybody()
    context.maximum_version = ssl.TLSVersion[version]
    alice = await house.enter("alice")
    bob = await knock_with_tls(house, context)
    await bob.say("/nick bob", "hello", "/quit")
    assert await alice.lines(3) == ["-- bob joined", "bob: hello", "-- bob left (quit)"]
    assert [line[:10] for line in await bob.rest()] == ["-- welcome", "-- bye (qu"]


async def test_who_says_nothing_hears_the_room(house: House) -> None:
    silent = await knock_with_tls(house)
    assert "you are guest" in await silent.line()
    alice = await house.enter("alice")
    await alice.say("hello")
    assert await silent.lines(2) == ["-- alice joined", "alice: hello"]


async def test_who_says_nothing_without_it_hears_the_room_as_soon_as_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "ENTER_SECONDS", 3600)  # who was waited for once is not again
    silent = await house.knock()
    assert "you are guest" in await silent.line()
    await silent.say("/json {}")
    assert (await silent.object())["kind"] == "welcome"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_openssl_s_client(house: House, version: str) -> None:
    read = await openssl(house, b"/nick bob\n/me waves\n/ping\n/quit\n", version)
    assert [line[:10] for line in read.splitlines()] == ["-- welcome", "-- pong", "-- bye (qu"]


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
async def test_versions_that_are_too_old_are_refused(house: House, version: str) -> None:
    assert await openssl(house, b"/quit\n", version, "-cipher", "ALL@SECLEVEL=0") == ""
    assert house.service.statistics().members == 0


async def test_json_lines(house: House) -> None:
    bob = await knock_with_tls(house)
    await bob.say('/json {"nick":"bob"}', {"kind": "message", "text": "hi", "id": "1"})
    assert (await bob.object())["kind"] == "welcome"
    assert (await bob.object())["id"] == "1"


async def test_irc(house: House) -> None:
    bob = await knock_with_tls(house)
    await bob.say("NICK bob", "USER bob 0 * :Bob")
    assert " 001 bob " in await bob.line()


async def test_https(house: House) -> None:
    context = trusting_anybody()
    context.set_alpn_protocols(["h2", "http/1.1"])
    browser = await knock_with_tls(house, context)
    assert browser.tls.selected_alpn_protocol() == "http/1.1"
    await browser.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    rest = await browser.rest_bytes()
    assert rest.startswith(b"HTTP/1.1 200 ")
    assert rest.rstrip().endswith(b'{"status":"ok"}')


async def test_a_websocket(house: House) -> None:
    browser = await knock_with_tls(house)
    await browser.send(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert await browser.line() == "HTTP/1.1 101 Switching Protocols\r"


async def test_garbage_after_the_first_byte(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    visitor = await house.knock()
    await visitor.send(b"\x16 is no handshake, whatever it looks like\n")
    assert await visitor.rest() == []
    await house.until(lambda: house.service.statistics().ended != {})
    assert house.service.statistics().ended == {CloseReason.PROTOCOL_ERROR: 1}
    assert "no TLS: WRONG_VERSION_NUMBER" in caplog.text
    assert not any(record.levelno > logging.INFO for record in caplog.records)


@pytest.mark.parametrize("cut", [1, 100])
async def test_a_handshake_that_comes_to_no_end_is_given_up(
    house: House, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    monkeypatch.setattr(tls_handshake, "HANDSHAKE_SECONDS", 0.1)
    visitor = await house.knock()
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        trusting_anybody().wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    await visitor.send(out.read()[:cut])
    assert await visitor.rest() == []
    await house.until(lambda: house.service.statistics().ended != {})
    assert house.service.statistics().ended == {CloseReason.PROTOCOL_ERROR: 1}


async def test_who_vanishes_in_the_handshake_is_no_fault(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        visitor = await house.knock()
        await visitor.send(b"\x16\x03\x01\x02\x00")
        visitor.reset()
    await house.until(lambda: sum(house.service.statistics().ended.values()) == 5)
    assert not any(record.levelno > logging.INFO for record in caplog.records)


async def test_who_is_gone_before_the_handshake_begins_is_no_fault(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def wrap(tls: ServerTls, sock: socket.socket, hello: bytes) -> ssl.SSLSocket:
        os.close(sock.detach())  # as `SSLContext.wrap_socket` does for a peer that has reset it
        raise OSError(errno.ENOTCONN, "gone")

    monkeypatch.setattr(ServerTls, "wrap", wrap)
    visitor = await house.knock()
    await visitor.send(b"\x16\x03\x01\x02\x00")
    with contextlib.suppress(trio.BrokenResourceError):
        assert await visitor.rest() == []
    await house.until(lambda: house.service.statistics().ended != {})
    assert house.service.statistics().ended == {CloseReason.LOST: 1}
    assert not any(record.levelno > logging.INFO for record in caplog.records)


async def test_no_bytes_in_a_handshakes_place_are_a_fault_of_ours(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    rng, count = random.Random(9009), 150
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        trusting_anybody().wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    hello = out.read()
    alice = await house.enter("alice")
    for number in range(count):
        data = bytearray(hello if number % 2 else b"\x16\x03\x01" + rng.randbytes(60))
        for _ in range(number % 7):
            data[rng.randrange(1, len(data))] = rng.randrange(256)
        visitor = await house.knock()
        await visitor.send(bytes(data))
        with contextlib.suppress(trio.BrokenResourceError):
            await visitor.stream.send_eof()
        visitor.reset()
    await house.until(lambda: sum(house.service.statistics().ended.values()) == count)
    assert not any(record.levelno > logging.INFO for record in caplog.records)
    assert house.service.statistics().seq == 1  # none of it is heard in the room
    await alice.settle()


async def test_a_hello_that_comes_late_is_turned_away(house: House) -> None:
    late = await house.knock()
    assert "you are guest" in await late.line()
    await late.send(b"\x16\x03\x01\x02\x00")
    assert (await late.rest())[-1].startswith("-- bye (protocol_error): this connection is in the")


async def test_renegotiation_is_refused(house: House) -> None:
    async with SClient.open(house, "-tls1_2") as client:
        await client.say("/nick bob")
        await client.until(b"you are bob")
        await client.say("R")  # `openssl s_client` asks for it at such a line
        assert b"no renegotiation" in await client.rest()
    await house.until(lambda: house.service.statistics().members == 0)


async def test_key_updates_do_no_harm(house: House) -> None:
    alice = await house.enter("alice")
    async with SClient.open(house, "-tls1_3") as client:
        await client.say("/nick bob")
        assert await alice.line() == "-- bob joined"
        for number in range(5):
            # `openssl s_client` asks for one where what it reads begins so, and drops the rest.
            await client.say("K")
            heard = ""
            while heard != f"bob: m{number}":
                with trio.move_on_after(0.1):
                    await client.say(f"m{number}")
                    heard = await alice.line()
        await client.say("/quit")
        while await alice.line() != "-- bob left (quit)":
            pass


async def test_half_of_it_closed(house: House) -> None:
    alice = await house.enter("alice")
    read = await trio.to_thread.run_sync(_say_and_half_close, house.service.port)
    assert b"-- bob" not in read
    assert read.endswith(b"-- pong\n-- bye (quit): see you\n")
    assert await alice.lines(3) == ["-- bob joined", "bob: hello", "-- bob left (quit)"]


def _say_and_half_close(port: int) -> bytes:
    """What comes after the client's own goodbye, to its end."""
    come, out, read = ssl.MemoryBIO(), ssl.MemoryBIO(), b""
    tls = trusting_anybody().wrap_bio(come, out)
    steps = [tls.do_handshake, lambda: tls.write(b"/nick bob\nhello\n/ping\n"), tls.unwrap]
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as sock:
        for step in steps:
            done = False
            while not done:
                with contextlib.suppress(ssl.SSLWantReadError):
                    step()
                    done = True
                sock.sendall(out.read())
                if step == tls.unwrap:
                    break  # it would wait for the other's goodbye
                if not done:
                    come.write(sock.recv(65536))
        while chunk := sock.recv(65536):
            come.write(chunk)
    with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
        while True:
            read += tls.read()
    return read


async def test_who_stalls_and_catches_up_has_every_byte(
    open_room: OpenHouse, pair: TlsSettings
) -> None:
    limits = {"outbox_limit_bytes": 1 << 26, "write_deadline_seconds": 60.0}
    house = await open_room(tls=pair, **limits)
    stuck = await enter_with_tls(house, "stuck", receive_buffer_bytes=4096)
    talker = await house.enter("talker")
    said = [f"{number} " + "x" * (700 + number % 300) for number in range(7000)]
    for start in range(0, len(said), 100):
        await talker.say(*said[start : start + 100])
    await talker.settle()
    (connection,) = (one for one in house.service._connections if one.transport == "tls")
    assert connection.outbox.size_bytes > 1_000_000  # the kernel has not taken it all
    assert await stuck.lines(1 + len(said)) == [
        "-- talker joined",
        *(f"talker: {text}" for text in said),
    ]


async def test_a_slow_reader_is_told_and_no_line_is_torn(
    open_room: OpenHouse, pair: TlsSettings
) -> None:
    house = await open_room(tls=pair, outbox_limit_bytes=65536)
    slow = await enter_with_tls(house, "slow", receive_buffer_bytes=4096)
    talker = await house.enter("talker")
    while house.service.statistics().ended == {}:
        await talker.say(*["x" * 1000] * 50)
        await trio.sleep(0.01)
    lines = await slow.rest()
    assert lines[0] == "-- talker joined"
    assert set(lines[1:-1]) == {"talker: " + "x" * 1000}
    assert lines[-1].startswith("-- bye (slow_reader): ")


async def test_a_drain_says_goodbye(house: House) -> None:
    bob = await enter_with_tls(house, "bob")
    shaking = await house.knock()
    await shaking.send(b"\x16\x03\x01\x02\x00")
    await house.until(lambda: house.service.statistics().connections == 2)
    house.service.drain()
    assert await bob.rest() == ["-- bye (shutdown): the server is going down"]
    assert await shaking.rest() == []


async def test_a_reload_loses_nobody(
    open_room: OpenHouse, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first, second = make_certificate("localhost"), make_certificate("localhost")
    pair = write_pair(tmp_path, first)
    house = await open_room(tls=pair)
    readers = [await enter_with_tls(house, f"reader{number}") for number in range(4)]
    talker = await house.enter("talker")
    seen: list[bytes] = []

    async def visit_for_ever() -> None:
        while True:
            visitor = await knock_with_tls(house)
            certificate = visitor.tls.getpeercert(binary_form=True)
            seen.append(ssl.DER_cert_to_PEM_cert(certificate).encode())
            await visitor.tls.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(visit_for_ever)
        for number in range(200):
            await talker.say(f"m{number}")
            if number == 50:
                Path(pair.key).write_bytes(second.key_pem())  # and not yet the certificate
                await house.service.reload()
            if number == 100:
                Path(pair.certificate).write_bytes(second.pem)
                await house.service.reload()
            await trio.sleep(0.002)
        await house.until(lambda: seen.count(second.pem) > 2)
        nursery.cancel_scope.cancel()
    for reader in readers:
        lines = [await reader.line() for _ in range(1)]
        while lines[-1] != "talker: m199":
            lines.append(await reader.line())
        assert [line for line in lines if line.startswith("talker: ")] == [
            f"talker: m{number}" for number in range(200)
        ]
    assert seen == sorted(seen, key=(first.pem, second.pem).index)
    assert seen[0] == first.pem
    messages = [record.getMessage() for record in caplog.records]
    (kept,) = [message for message in messages if "the old one stays" in message]
    assert "KEY_VALUES_MISMATCH" in kept
    assert messages.count("certificate reloaded") == 1


@pytest.fixture
def from_afar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Visitors come from another machine."""
    monkeypatch.setattr(acceptor, "is_local", lambda address: False)


@pytest.mark.usefixtures("from_afar")
async def test_a_hello_from_afar_may_be_lost_once(house: House) -> None:
    bob = await house.knock()
    await trio.sleep(0.3)  # until the kernel has sent it again; a silent guest is in by then
    tls = TlsVisitor(bob.stream, trusting_anybody())
    await tls.say("/nick bob")
    assert "you are bob " in await tls.line()


@pytest.mark.usefixtures("from_afar")
async def test_where_it_is_required_nobody_from_afar_comes_in_without(
    open_room: OpenHouse, pair: TlsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorstep, "HANDSHAKE_SECONDS", 0.05)  # for the silent one
    house = await open_room(tls=pair, require_tls=True)
    error = "-- this room is entered over TLS only (not_encrypted)"
    bye = "-- bye (protocol_error): not let in: not_encrypted"
    plain = await house.knock()
    await plain.say("/nick bob", "a secret")
    assert await plain.rest() == [error, bye]
    silent = await house.knock()
    assert await silent.rest() == [error, bye]
    program = await house.knock()
    await program.say("/json {}")
    assert [json.loads(line)["kind"] for line in await program.rest()] == ["error", "bye"]
    browser = await house.knock()
    await browser.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await browser.line()).startswith("HTTP/1.1 403 ")
    irc = await house.knock()
    await irc.say("NICK bob", "USER bob 0 * :Bob")
    assert "over TLS only" in " ".join(await irc.rest())
    bob = await enter_with_tls(house, "bob")
    assert house.service.statistics().members == 1
    await bob.say("/quit")
    assert (await bob.rest())[-1] == "-- bye (quit): see you"


@pytest.mark.usefixtures("from_afar")
async def test_where_it_is_required_nobody_is_asked_for_a_secret_without(
    open_room: OpenHouse, pair: TlsSettings, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("open sesame\n")
    access = AccessSettings(access=Access.SECRET, secret_file=str(secret))
    house = await open_room(tls=pair, require_tls=True, access=access)
    plain = await house.knock()
    await plain.say("/nick bob")
    assert [line.partition(" (")[0] for line in await plain.rest()] == [
        "-- this room is entered over TLS only",
        "-- bye",
    ]
    bob = await knock_with_tls(house)
    await bob.say("/login open sesame", "/ping")
    assert "welcome" in await bob.line()


async def test_where_it_is_required_who_is_on_this_machine_needs_none(
    open_room: OpenHouse, pair: TlsSettings
) -> None:
    house = await open_room(tls=pair, require_tls=True)
    alice: Visitor = await house.enter("alice")
    bob: TlsVisitor = await enter_with_tls(house, "bob")
    await bob.say("hello")
    assert await alice.lines(2) == ["-- bob joined", "bob: hello"]
