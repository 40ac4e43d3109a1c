"""An outbox that cannot keep what the kernel leaves: its reader comes to the end of the stream."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator

import pytest
import trio
import trio.testing

from chatroom.protocol.format import end_of_line
from chatroom.server.serving.conversation import ending_at_eof
from chatroom.transport import epoll
from chatroom.transport.backlog import Backlog
from chatroom.transport.budget import Budget
from chatroom.transport.epoll import EpollOutbox
from chatroom.transport.idle import Idle
from chatroom.transport.outbox import Bounds, Congestion, Outbox, Shared
from chatroom.transport.stream import SocketTransport
from chatroom.transport.threads import ThreadOutbox

RECORD = b"x" * 1000 + b"\n"
Pair = tuple[socket.socket, socket.socket]


class Owner:
    """Of an outbox, and where its records are sent: see `chatroom.transport.epoll.Owner`."""

    def __init__(self) -> None:
        self.send: Callable[[bytes], int] = len

    def reroute(self, send: Callable[[bytes], int]) -> None:
        self.send = send

    def report_slow(self, text: str) -> None:
        raise AssertionError(text)


class Cramped(Backlog):
    """Keeps as many chunks as there is memory for."""

    __slots__ = ()
    room = 0

    def add(self, chunk: bytes, offset: int = 0) -> None:
        if len(self._chunks) >= self.room:
            raise MemoryError
        super().add(chunk, offset)


@pytest.fixture
def pair() -> Iterator[Pair]:
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        yield here, there


@pytest.fixture
def shared() -> Shared:
    return Shared(Bounds(1 << 30, 10), Congestion(), Budget(1 << 30))


def check_broken_off(outbox: Outbox, pair: Pair) -> None:
    """It has ended on both sides, for a reason of its own, and takes nothing more."""
    here, there = pair
    failure = outbox.failure
    assert failure is not None
    assert failure.errno == errno.ENOMEM
    assert "no memory" in ending_at_eof(failure).text
    assert here.recv(1) == b""
    there.settimeout(5)
    while there.recv(1 << 20):
        pass
    assert outbox.send(RECORD) == len(RECORD)
    assert not outbox.size_bytes


@pytest.mark.parametrize("room", [0, 1, 3])
@pytest.mark.parametrize("alone", [True, False])
async def test_an_outbox_of_the_epoll_mode(
    pair: Pair, shared: Shared, room: int, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epoll, "Backlog", Cramped)
    monkeypatch.setattr(Cramped, "room", room)
    async with trio.open_nursery() as nursery:
        owner = Owner()
        outbox = EpollOutbox(SocketTransport(pair[0]), shared, nursery, owner)
        owner.send = outbox.send
        while outbox.failure is None:  # nobody reads
            if alone:
                outbox.push(RECORD)
                continue
            try:
                sent_bytes = owner.send(RECORD)
            except BlockingIOError:
                sent_bytes = 0
            if sent_bytes != len(RECORD):
                outbox.keep(RECORD, sent_bytes)
        check_broken_off(outbox, pair)
        await outbox.wait_empty()


async def test_a_flusher_without_memory(
    pair: Pair, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trio.open_nursery() as nursery:
        outbox = EpollOutbox(SocketTransport(pair[0]), shared, nursery, Owner())
        while not outbox.size_bytes:
            outbox.push(RECORD)
        monkeypatch.setattr(Backlog, "head", refuse)
        pair[1].recv(1 << 20)
        await outbox.wait_empty()
        check_broken_off(outbox, pair)


async def test_a_flusher_that_cannot_wait(
    pair: Pair, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait_writable(sock: object) -> None:
        await trio.lowlevel.checkpoint()
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(trio.lowlevel, "wait_writable", wait_writable)
    async with trio.open_nursery() as nursery:
        outbox = EpollOutbox(SocketTransport(pair[0]), shared, nursery, Owner())
        while not outbox.size_bytes:
            outbox.push(RECORD)
        await outbox.wait_empty()
        check_broken_off(outbox, pair)


async def test_an_outbox_of_the_thread_mode(
    pair: Pair, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = ThreadOutbox(SocketTransport(pair[0]), shared, report_slow=lambda text: None)
    monkeypatch.setattr(Backlog, "add", refuse)
    outbox.push(RECORD)
    check_broken_off(outbox, pair)
    with trio.fail_after(5):
        await trio.to_thread.run_sync(outbox.write_all)  # ends at once
        await outbox.wait_empty()


async def test_a_writing_thread_without_memory(
    pair: Pair, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backlog, "head", refuse)
    outbox = ThreadOutbox(SocketTransport(pair[0]), shared, report_slow=lambda text: None)
    outbox.push(RECORD)
    outbox.close(b"bye\n", end_of_line, abrupt=False)
    with trio.fail_after(5):
        await trio.to_thread.run_sync(outbox.write_all)
        await outbox.wait_empty()
    check_broken_off(outbox, pair)


async def test_who_cannot_be_awoken_is_so_later(
    pair: Pair, autojump_clock: trio.testing.MockClock
) -> None:
    idle: Idle[str] = Idle()
    awoken: list[str] = []

    def awake(whose: str) -> None:
        awoken.append(whose)
        if len(awoken) < 3:
            raise MemoryError
        idle.remove(pair[0].fileno())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(idle.run, awake)
        idle.add(pair[0].fileno(), "alice")
        pair[1].send(b"hi")
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert awoken == ["alice"] * 3
    assert idle.close() == []


def refuse(*_: object) -> list[bytes]:
    raise MemoryError
