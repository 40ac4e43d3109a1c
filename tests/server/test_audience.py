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


def test_what_is_sent_is_counted_and_what_is_cut_out_is_not() -> None:
    counters = Counters()
    readers = [Reader(Outbox(len)) for _ in range(3)]
    audience = Audience(cast("Format", Bare()), counters)
    for reader in readers:
        audience.enter(cast("Connection", reader))
    audience.add(b"hello\n", cast("Connection", readers[1]))
    audience.flush()
    assert (counters.deliveries, counters.audience_bytes) == (2, 2 * len("hello\n"))


class Cramped(Bare):
    """A format for which there is no memory at first."""

    tries = 0

    def frame(self, records: bytes) -> bytes:
        self.tries += 1
        if self.tries == 1:
            raise MemoryError
        return records


def test_what_there_was_no_memory_for_comes_with_the_next_turn() -> None:
    taken: list[bytes] = []

    def take(records: bytes) -> int:
        taken.append(records)
        return len(records)

    audience = Audience(cast("Format", Cramped()), Counters())
    audience.enter(cast("Connection", Reader(Outbox(take))))
    audience.add(b"one\n", None)
    with pytest.raises(MemoryError):
        audience.flush()
    audience.add(b"two\n", None)
    audience.flush()
    assert taken == [b"one\ntwo\n"]


class Full(Outbox):
    def keep(self, records: bytes, sent_bytes: int) -> None:
        raise MemoryError


async def test_one_for_whom_nothing_can_be_kept_is_given_up_and_the_others_get_theirs(
    senders: Senders,
) -> None:
    readers = [Reader(Full(block)), Reader(Outbox(lambda records: 2)), Reader(Full(block))]
    audience = Audience(cast("Format", Bare()), Counters(), senders)
    for reader in readers:
        audience.enter(cast("Connection", reader))
    audience.add(b"hello\n", None)
    audience.flush()
    assert [bool(reader.outbox.failures) for reader in readers] == [True, False, True]
    assert readers[1].outbox.kept == [(b"hello\n", 2)]
