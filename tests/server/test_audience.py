"""The innermost loop of the room: what becomes of what a reader's socket does not take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest
import trio

from chatroom.protocol.format import Format
from chatroom.server.audience import Audience
from chatroom.server.connection import Connection
from chatroom.server.counters import Counters
from chatroom.server.senders import Senders


class Bare:
    """A format without frames."""

    def frame(self, records: bytes) -> bytes:
        return records


@dataclass
class Outbox:
    """Notes what it is told."""

    send: Callable[[bytes], int]
    kept: list[tuple[bytes, int]] = field(default_factory=list)
    failures: list[OSError | None] = field(default_factory=list)

    def keep(self, records: bytes, sent_bytes: int) -> None:
        self.kept.append((records, sent_bytes))

    def give_up(self, failure: OSError | None = None) -> None:
        self.failures.append(failure)


@dataclass(eq=False)
class Reader:
    outbox: Outbox
    audience: Audience | None = None
    slot: int = 0


def block(records: bytes) -> int:
    raise BlockingIOError


def reset(records: bytes) -> int:
    raise ConnectionResetError


@pytest.fixture(params=[0, 1, 3])
async def senders(
    request: pytest.FixtureRequest, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> Senders:
    """So many threads, for audiences of any size."""
    monkeypatch.setattr("chatroom.server.senders.LEAST_AUDIENCE", 1)
    senders = Senders(request.param)
    await nursery.start(senders.run)
    return senders


@pytest.mark.parametrize(
    ("send", "kept", "gave_up"),
    [
        (len, [], False),
        (lambda records: 3, [(b"hello\n", 3)], False),
        (block, [(b"hello\n", 0)], False),
        (reset, [], True),
    ],
)
async def test_what_a_socket_does_not_take_is_kept_and_others_get_theirs(
    send: Callable[[bytes], int],
    kept: list[tuple[bytes, int]],
    gave_up: bool,
    senders: Senders,
) -> None:
    taken: list[bytes] = []

    def take(records: bytes) -> int:
        taken.append(records)
        return len(records)

    others = Outbox(take)
    readers = [Reader(others), Reader(Outbox(send)), Reader(others)]
    audience = Audience(cast("Format", Bare()), Counters(), senders)
    for reader in readers:
        audience.enter(cast("Connection", reader))
    audience.add(b"hello\n", None)
    audience.flush()
    assert readers[1].outbox.kept == kept
    assert bool(readers[1].outbox.failures) is gave_up
    assert taken == [b"hello\n"] * 2
    assert not others.kept
