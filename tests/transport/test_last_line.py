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


async def test_nothing_follows_the_bye(nursery: trio.Nursery) -> None:
    wire, ways = Wire(), list[Callable[[bytes], int]]()
    outbox = EpollOutbox(
        cast("Transport", wire),
        Shared(Bounds(1000, 1.0), Congestion(), Budget(1000)),
        nursery,
        reroute=ways.append,
        report_slow=lambda text: None,
    )
    outbox.push(b"hello\n")
    outbox.close(b"bye\n", lambda chunk, offset: offset, abrupt=False)
    outbox.push(b"more\n")
    assert ways[-1](b"to all\n") == len(b"to all\n")  # the fan-out's own way
    assert wire.sent == [b"hello\n", b"bye\n"]
