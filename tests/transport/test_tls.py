"""Bytes under TLS leave as they came, however OpenSSL and the kernel take them."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import pytest

from chatroom.protocol.format import end_of_line
from chatroom.transport.backlog import Backlog
from chatroom.transport.contract import Transport
from chatroom.transport.sockets import shut
from chatroom.transport.tls import RECORD_BYTES, TlsTransport
from chatroom.transport.tls_server import ServerTls
from chatroom.transport.tls_threads import BlockingTlsTransport
from tests.certificates import make_certificate, trusting_anybody, write_pair

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@dataclass
class Pair:
    """A server's socket and a client's, with hands shaken; neither blocks."""

    server: ssl.SSLSocket
    client: ssl.SSLSocket

    def drain(self) -> bytes:
        """All that has come to the client."""
        found = b""
        with contextlib.suppress(ssl.SSLWantReadError):
            while chunk := self.client.recv(1 << 20):
                found += chunk
        return found


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    return ServerTls(write_pair(tmp_path_factory.mktemp("tls"), make_certificate("localhost")))


@pytest.fixture(params=VERSIONS, ids=lambda version: str(version.name))
def pair(tls: ServerTls, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Over kernel buffers that are small."""
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    theirs.setblocking(False)
    context = trusting_anybody()
    context.maximum_version = request.param
    server = tls.wrap(ours)
    client = context.wrap_socket(theirs, do_handshake_on_connect=False)
    for side in (client, server, client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    yield Pair(server, client)
    server.close()
    client.close()


def _lines(rng: random.Random, size_bytes: int) -> bytes:
    """Lines of all lengths, no two alike."""
    lines = b""
    while len(lines) < size_bytes:
        lines += b"%030x" % rng.getrandbits(120) * rng.choice([1, 2, 40]) + b"\n"
    return lines


def _transport(sock: ssl.SSLSocket, *, blocking: bool) -> Transport:
    return BlockingTlsTransport(sock) if blocking else TlsTransport(sock)


@pytest.mark.parametrize("blocking", [False, True])
def test_a_reader_that_stalls_gets_every_byte_when_it_reads_again(
    pair: Pair, blocking: bool
) -> None:
    rng = random.Random(9009)
    transport = _transport(pair.server, blocking=blocking)
    backlog, came, got = Backlog(), b"", b""
    begun = 0
    for _ in range(400):
        records = _lines(rng, rng.choice([1, 100, 5000, 40_000]))
        came += records
        backlog.add(records)
        try:
            backlog.take(transport.send_some(backlog.head(), wait=False))
        except BlockingIOError:
            begun += 1
            assert 0 < transport.begun_bytes <= RECORD_BYTES
        if rng.random() < 0.5:
            got += pair.drain()
    while backlog.size_bytes:
        got += pair.drain()
        with contextlib.suppress(BlockingIOError):
            backlog.take(transport.send_some(backlog.head(), wait=False))
    assert begun > 50
    assert got + pair.drain() == came


def test_what_a_batch_left_is_offered_again_and_not_what_comes_after_it(pair: Pair) -> None:
    transport = TlsTransport(pair.server)
    sent = b""
    batch = b""
    with contextlib.suppress(BlockingIOError):
        for number in range(1000):
            batch = b"%d\n" % number * 500
            assert transport.send(batch) == len(batch)
            sent += batch
    assert transport.begun_bytes == len(batch)
    with pytest.raises(BlockingIOError):
        transport.send_some([batch, b"later\n" * 9000])
    got = pair.drain()
    taken = transport.send_some([batch, b"later\n" * 9000])
    assert taken >= len(batch)
    got += pair.drain()
    assert got == (sent + batch + b"later\n" * 9000)[: len(got)]
    assert len(got) >= len(sent) + len(batch)


def test_the_last_line_of_a_reader_that_is_given_up_tears_none(pair: Pair) -> None:
    transport, backlog = TlsTransport(pair.server), Backlog()
    with contextlib.suppress(BlockingIOError):
        while True:
            backlog.add(_lines(random.Random(len(backlog.head())), 20_000))
            backlog.take(transport.send_some(backlog.head()))
    assert transport.begun_bytes
    backlog.cut_to(b"-- bye\n", end_of_line, transport.begun_bytes)
    got = b""
    while backlog.size_bytes:
        got += pair.drain()
        with contextlib.suppress(BlockingIOError):
            backlog.take(transport.send_some(backlog.head()))
    lines = (got + pair.drain()).split(b"\n")
    assert lines[-2:] == [b"-- bye", b""]
    assert {len(line) % 30 for line in lines[:-2]} == {0}


def test_nothing_waits_inside_openssl_where_no_poll_sees_it(pair: Pair) -> None:
    transport, said, got = TlsTransport(pair.server), bytes(range(256)) * 200, b""
    left = memoryview(said)
    while len(got) < len(said):
        with contextlib.suppress(ssl.SSLWantWriteError):
            left = left[pair.client.send(left[:RECORD_BYTES]) :]
        while select.select([pair.server], [], [], 0)[0]:
            with contextlib.suppress(BlockingIOError):
                got += transport.receive(65536)
        assert pair.server.pending() == 0
    assert got == said
    with pytest.raises(BlockingIOError):
        transport.receive(65536)


def test_goodbyes_are_told_apart_from_the_end_of_the_socket(pair: Pair) -> None:
    transport = TlsTransport(pair.server)
    transport.send(b"last\n")
    transport.shut_write()
    assert pair.client.recv(100) == b"last\n"
    assert pair.client.read(100) == b""  # said: cut off, it would be an SSLEOFError
    pair.client.send(b"I still speak\n")
    assert transport.receive(100) == b"I still speak\n"


def test_a_direction_is_shut_without_forgetting_the_encryption(pair: Pair) -> None:
    shut(pair.server, socket.SHUT_RD)
    BlockingTlsTransport(pair.server).send(b"a secret\n")
    assert pair.drain() == b"a secret\n"


class OneAtATime:
    """In an SSL socket's place: whether another thread gets in while one is in it."""

    def __init__(self) -> None:
        self.transport: BlockingTlsTransport
        self.other: threading.Thread
        self.entered = False

    def recv(self, limit_bytes: int) -> bytes:
        self.other = threading.Thread(target=self.transport.send_some, args=([b"x"],))
        self.other.start()
        self.other.join(0.05)
        assert not self.entered
        return b"came"

    def send(self, record: memoryview) -> int:
        self.entered = True
        return len(record)


def test_a_thread_that_writes_waits_for_the_one_that_reads() -> None:
    sock = OneAtATime()
    transport = sock.transport = BlockingTlsTransport(cast("ssl.SSLSocket", sock))
    assert transport.receive(65536) == b"came"
    sock.other.join()
    assert sock.entered
