"""The sender: when heartbeats go out, and what becomes of errors of the network."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock

from chatroom.feed.sender import FAREWELL_SECONDS, Sender
from chatroom.feed.store import BlockStore
from chatroom.protocol import moldudp64 as mold

if TYPE_CHECKING:
    from typing_extensions import Buffer

SESSION = b"K3F9A2QZ01"


class Line(socket.socket):
    """One end of a datagram pair, whose network can be taken away."""

    fault: int = 0

    def send(self, datagram: Buffer, flags: int = 0, /) -> int:
        if self.fault:
            raise OSError(self.fault, "")
        return super().send(datagram, flags)


class Wire:
    """The group's end of the pair, and how often the sender opened its own."""

    def __init__(self) -> None:
        self.opened = 0
        self.line: Line
        self._groups: list[socket.socket] = []

    def open(self) -> socket.socket:
        ours, group = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.line = Line(fileno=ours.detach())
        self.line.setblocking(False)
        group.setblocking(False)
        self._groups.append(group)
        self.opened += 1
        return self.line

    def take(self) -> list[mold.Packet]:
        """What has come since the last call."""
        packets = []
        try:
            while True:
                packets.append(mold.decode_packet(self._groups[-1].recv(65536)))
        except BlockingIOError:
            return packets

    def close(self) -> None:
        for group in self._groups:
            group.close()
        self.line.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.close()


@pytest.fixture
async def sender(wire: Wire) -> Sender:
    return Sender(wire.open, SESSION, BlockStore(1000, 1 << 20, 1), 200)


async def test_a_batch_shares_datagrams(wire: Wire, sender: Sender) -> None:
    messages = [b"message %02d" % n for n in range(1, 31)]
    sender.send(1, messages)

    packets = wire.take()
    assert [len(packet.messages) for packet in packets] == [15, 15]
    assert [m for packet in packets for m in packet.messages] == messages


async def test_heartbeats_come_10_ms_after_the_last_event_and_double_to_a_second(
    wire: Wire, sender: Sender, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    nursery.start_soon(sender.beat)
    for number in (1, 2, 3):
        sender.send(number, [b"x"])
        await trio.sleep(0.005)
    assert [len(packet.messages) for packet in wire.take()] == [1, 1, 1]

    begin = trio.current_time() - 0.005
    times = []
    while trio.current_time() < begin + 4.5:
        await trio.sleep(0.001)
        times += [trio.current_time() - begin] * len(wire.take())
    expected = [0.01, 0.03, 0.07, 0.15, 0.31, 0.63, 1.27, 2.27, 3.27, 4.27]
    assert times == pytest.approx(expected, abs=0.002)
    sender.send(4, [b"x"])
    await trio.sleep(0.0125)
    assert wire.take() == [(SESSION, 4, [b"x"], False), (SESSION, 5, (), False)]
    nursery.cancel_scope.cancel()


async def test_after_the_farewell_there_is_no_heartbeat(
    wire: Wire, sender: Sender, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    nursery.start_soon(sender.beat)
    sender.send(1, [b"x"])
    await trio.sleep(0.1)
    wire.take()
    await sender.say_farewell()
    await trio.sleep(5)

    assert wire.take() == [(SESSION, 2, (), True)] * len(FAREWELL_SECONDS)


async def test_an_error_of_the_network_is_counted_logged_once_and_heals(
    wire: Wire,
    sender: Sender,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    nursery.start_soon(sender.beat)
    wire.line.fault = errno.ENETUNREACH
    with caplog.at_level(logging.WARNING):
        for number in range(1, 51):
            sender.send(number, [b"x"])

    assert sender.errors == {"Network is unreachable": 50}
    assert len(caplog.records) == 1
    await trio.sleep(0.015)  # the next heartbeat opens a new socket
    assert wire.opened == 2
    sender.send(51, [b"y"])
    assert wire.take() == [(SESSION, 51, (), False), (SESSION, 51, [b"y"], False)]
    nursery.cancel_scope.cancel()


async def test_a_full_send_buffer_loses_the_datagram_and_nothing_else(
    wire: Wire, sender: Sender
) -> None:
    for number in range(1, 1000):
        sender.send(number, [b"x"])

    assert list(sender.errors) == ["Resource temporarily unavailable"]
    got = [packet.sequence for packet in wire.take()]
    assert got == list(range(1, len(got) + 1))
    sender.send(1000, [b"x"])
    assert [packet.sequence for packet in wire.take()] == [1000]


@pytest.mark.parametrize("part", ["block", "packets"])
async def test_a_batch_without_memory_is_as_one_that_was_lost_on_the_way(
    wire: Wire, sender: Sender, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise MemoryError

    sender.send(1, [b"x"])
    with monkeypatch.context() as patch:
        patch.setattr(mold, part, refuse)
        sender.send(2, [b"y", b"z"])
    assert sender._store.next_sequence == 4  # which the next heartbeat says
    sender.send(4, [b"w"])
    assert [packet.sequence for packet in wire.take()] == [1, 4]
