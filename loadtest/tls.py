"""What TLS costs: a send, a connection, the fan-out, and those inside while newcomers shake hands.

`python -m loadtest tls` prints a Markdown table. Everything is measured beside plain TCP in the
same run, in turn. Readers shake hands in Python and then read what comes as it is, encrypted, so
that the server is what is measured.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from chatroom.settings import TlsSettings
from chatroom.transport.tls_auto import own_certificate
from chatroom.transport.tls_server import ServerTls
from loadtest.rows import Row
from loadtest.serving import Server, core, pinned, serving

HOST = "127.0.0.1"
CLIENTS = 1000
READERS = 100
IN_FLIGHT = 64
LINE = b"x" * 99 + b"\n"
BATCHES = (100, 6144)  # bytes


@dataclass(frozen=True)
class Way:
    """What a batch leaves by, and what it is made from."""

    name: str
    open: Callable[[socket.socket, ServerTls], Callable[[bytes], object]]


@dataclass(frozen=True)
class House:
    """Where servers run, and their certificate."""

    prefix: Sequence[str]
    pair: TlsSettings

    def serving(self, *options: str) -> AbstractContextManager[Server]:
        return serving(self.prefix, "--no-multicast", "--tls-cert", self.pair.certificate, *options)


def _plain(sock: socket.socket, tls: ServerTls) -> Callable[[bytes], object]:
    return sock.send


def _ssl_socket(sock: socket.socket, tls: ServerTls) -> Callable[[bytes], object]:
    secure = tls.wrap(sock)
    secure.setblocking(True)
    secure.do_handshake()
    secure.setblocking(False)
    return secure.send


def _memory(sock: socket.socket, tls: ServerTls) -> Callable[[bytes], object]:
    come, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = tls.context.wrap_bio(come, out, server_side=True)
    done = False
    while not done:
        with contextlib.suppress(ssl.SSLWantReadError):
            session.do_handshake()
            done = True
        sock.sendall(out.read())
        if not done:
            come.write(sock.recv(65536))

    def send(records: bytes) -> None:
        session.write(records)
        sock.send(out.read())

    return send


WAYS = (Way("plain", _plain), Way("SSLSocket", _ssl_socket), Way("SSLObject, BIOs", _memory))


def measure(repeat: int, seconds: float) -> Iterator[Row]:
    """Everything, row by row; takes a minute or two. The load is this process and its children, on
    a core of their own from now on.
    """
    prefix = pinned(0)
    os.sched_setaffinity(0, {core(1)})
    with tempfile.TemporaryDirectory(prefix="loadtest-") as name:
        pair = own_certificate(str(Path(name) / "room.db"))
        house = House(prefix, pair)
        yield from _sends(ServerTls(pair))
        yield _memory_held(house)
        yield _fanout(house, repeat, seconds)
        yield _last_reader(house, repeat, seconds)
        for mode in ("epoll", "thread"):
            yield _newcomers(house, repeat, mode)


def _sends(tls: ServerTls) -> Iterator[Row]:
    for way in WAYS:
        measured = _in_child(lambda: _send_cost(way, tls))  # noqa: B023 - called at once
        yield Row(f"a send by {way.name}, {CLIENTS} clients", measured, "", reached=True)


def _in_child(work: Callable[[], str]) -> str:
    """What `work` returns in a process of its own, so that nobody else's memory is counted."""
    receive, give = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(give, work().encode())
        os._exit(0)
    os.close(give)
    with open(receive) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def _send_cost(way: Way, tls: ServerTls) -> str:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(CLIENTS)
        with _process(listener.getsockname()[1], CLIENTS, "plain" if way is WAYS[0] else "tls"):
            before = _resident_bytes(os.getpid())
            accepted, sends = [], []
            for _ in range(CLIENTS):
                accepted.append(listener.accept()[0])
                accepted[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sends.append(way.open(accepted[-1], tls))
            costs = [_median_cost(sends, b"x" * size) for size in BATCHES]
            held = (_resident_bytes(os.getpid()) - before) / CLIENTS / 1024
    at = ", ".join(f"{size} B {cost:.1f} µs" for size, cost in zip(BATCHES, costs, strict=True))
    return f"{at}; {held:.0f} KiB each"


def _median_cost(sends: Sequence[Callable[[bytes], object]], batch: bytes) -> float:
    """Processor time of one send, in microseconds: others may be at work on this machine."""
    costs = []
    for _ in range(30):
        began = time.thread_time()
        for send in sends:
            send(batch)
        costs.append((time.thread_time() - began) / len(sends) * 1e6)
        time.sleep(0.05)
    return median(costs)


def _memory_held(house: House) -> Row:
    held = {}
    for kind in ("plain", "tls"):
        with house.serving() as server, _readers(server.port, 10, kind):
            before = _resident_bytes(server.pid)
            with _readers(server.port, CLIENTS, kind):
                time.sleep(1)  # the last of them enters in silence
                held[kind] = (_resident_bytes(server.pid) - before) / CLIENTS / 1024
    measured = f"{held['tls']:.0f} KiB, plain {held['plain']:.0f}"
    return Row(f"memory of each of {CLIENTS}", measured, "at most 60 KB", held["tls"] <= 60)


def _fanout(house: House, repeat: int, seconds: float) -> Row:
    rates: dict[str, list[float]] = {"plain": [], "tls": []}
    for _ in range(repeat):
        for kind, found in rates.items():
            with house.serving() as server, _readers(server.port, READERS, kind):
                time.sleep(0.5)
                found.append(_deliveries(server, seconds))
    plain, secure = median(rates["plain"]), median(rates["tls"])
    measured = f"{secure / 1e6:.2f} M, plain {plain / 1e6:.2f} M: {secure / plain:.2f}"
    what = f"deliveries to {READERS} readers, {IN_FLIGHT} in flight, a second of processor time"
    return Row(what, measured, "at least 0.35 of plain", secure >= 0.35 * plain)


def _deliveries(server: Server, seconds: float) -> float:
    """A second of the server's processor time: one talker keeps so many lines in flight, each heard
    by somebody over plain TCP.
    """
    with _inside(server.port, b"talker") as talker, _inside(server.port, b"witness") as witness:
        time.sleep(0.2)
        talker.sendall(LINE * IN_FLIGHT)
        said, began, used = IN_FLIGHT, time.monotonic(), server.cpu_seconds()
        while time.monotonic() < began + seconds:
            count = witness.recv(1 << 20).count(b"\n")
            talker.sendall(LINE * count)
            said += count
        return said * READERS / (server.cpu_seconds() - used)


@contextlib.contextmanager
def _inside(port: int, nick: bytes) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"/nick %s\n" % nick)
        sock.recv(65536)
        yield sock


def _last_reader(house: House, repeat: int, seconds: float) -> Row:
    p99: dict[str, list[float]] = {"plain": [], "tls": []}
    for _ in range(repeat):
        for kind, found in p99.items():
            with house.serving() as server, _readers(server.port, CLIENTS, kind):
                time.sleep(1)  # they have entered in silence: who comes now is sent to last
                with (
                    _inside(server.port, b"talker") as talker,
                    _inside(server.port, b"witness") as witness,
                ):
                    until = time.monotonic() + seconds
                    done = lambda: time.monotonic() > until  # noqa: B023, E731 - called at once
                    found.append(_p99_ms(talker, witness, done, pause_seconds=0.02))
    plain, secure = median(p99["plain"]), median(p99["tls"])
    measured = f"p99 {secure:.1f} ms, plain {plain:.1f}"
    what = f"the last of {CLIENTS} readers, 50 lines a second"
    return Row(what, measured, "p99 within twice plain", secure <= 2 * plain)


def _newcomers(house: House, repeat: int, mode: str) -> Row:
    found: dict[str, list[float]] = {"plain-at-once": [], "tls-at-once": []}
    for _ in range(repeat):
        for kind, p99_ms in found.items():
            with (
                house.serving("--mode", mode) as server,
                _inside(server.port, b"talker") as talker,
                _inside(server.port, b"witness") as witness,
                _process(server.port, CLIENTS, kind) as newcomers,
            ):
                done = lambda: newcomers.poll() is not None  # noqa: E731 - called at once
                p99_ms.append(_p99_ms(talker, witness, done))
    secure, plain = median(found["tls-at-once"]), median(found["plain-at-once"])
    measured = f"p99 {secure:.1f} ms, with plain ones {plain:.1f}"
    what = f"two inside while {CLIENTS} shake hands, {mode}"
    return Row(what, measured, "p99 below 50 ms", secure < 50)


def _p99_ms(
    talker: socket.socket,
    witness: socket.socket,
    done: Callable[[], bool],
    *,
    pause_seconds: float = 0.005,
) -> float:
    """Of a line's way from one to the other, with a pause behind each."""
    found = []
    while not done():
        began = time.monotonic()
        talker.sendall(b"hello\n")
        heard = b""
        while b"hello\n" not in heard:
            heard += witness.recv(65536)
        found.append(time.monotonic() - began)
        time.sleep(pause_seconds)
    return quantiles(found, n=100)[98] * 1000


@contextlib.contextmanager
def _readers(port: int, count: int, kind: str) -> Iterator[None]:
    """Clients that are connected, read, and say nothing."""
    with _process(port, count, kind) as readers:
        assert readers.stdout is not None
        readers.stdout.readline()
        yield


@contextlib.contextmanager
def _process(port: int, count: int, kind: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "loadtest.tls_readers", str(port), str(count), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
