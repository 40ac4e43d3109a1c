"""After the last line an outbox sends nothing more, by whichever way it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import trio

from chatroom.transport.budget import Budget
from chatroom.transport.contract import Transport
from chatroom.transport.epoll import EpollOutbox
from chatroom.transport.outbox import Bounds, Congestion, Shared


@dataclass
class Wire:
    """A transport that takes all it is given."""

    sent: list[bytes] = field(default_factory=list)

    def send(self, records: bytes) -> int:
        self.sent.append(records)
        return len(records)


@dataclass
class Owner:
    """See `chatroom.transport.epoll.Owner`."""

    ways: list[Callable[[bytes], int]] = field(default_factory=list)

    def reroute(self, send: Callable[[bytes], int]) -> None:
        self.ways.append(send)

    def report_slow(self, text: str) -> None:
        raise AssertionError(text)


async def test_nothing_follows_the_bye(nursery: trio.Nursery) -> None:
    wire, owner = Wire(), Owner()
    outbox = EpollOutbox(
        cast("Transport", wire),
        Shared(Bounds(1000, 1.0), Congestion(), Budget(1000)),
        nursery,
        owner,
    )
    outbox.push(b"hello\n")
    outbox.close(b"bye\n", lambda chunk, offset: offset, abrupt=False)
    outbox.push(b"more\n")
    assert owner.ways[-1](b"to all\n") == len(b"to all\n")  # the fan-out's own way
    assert wire.sent == [b"hello\n", b"bye\n"]
