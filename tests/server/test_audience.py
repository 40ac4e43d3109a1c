"""The innermost loop of the room: what becomes of what a reader's socket does not take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest
import trio

from chatroom.protocol.format import Format
from chatroom.server.connection import Connection
from chatroom.server.counters import Counters
from chatroom.server.fanout.audience import Audience
from chatroom.server.fanout.senders import Senders


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
    is_broken_off: bool = False

    def keep(self, records: bytes, sent_bytes: int) -> None:
        self.kept.append((records, sent_bytes))

    def give_up(self, failure: OSError | None = None) -> None:
        self.failures.append(failure)

    def break_off(self) -> None:
        self.is_broken_off = True


@dataclass(eq=False)
class Reader:
    outbox: Outbox
    audience: Audience | None = None
    slot: int = 0


def block(records: bytes) -> int:
    raise BlockingIOError


def reset(records: bytes) -> int:
    raise ConnectionResetError


def refuse(*args: object) -> int:
    raise MemoryError


@pytest.fixture(params=[0, 1, 3])
async def senders(
    request: pytest.FixtureRequest, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> Senders:
    """So many threads, for audiences of any size."""
    monkeypatch.setattr("chatroom.server.fanout.senders.LEAST_AUDIENCE", 1)
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


def test_who_has_been_told_a_part_is_told_no_more() -> None:
    """What is pushed to one alone would overtake a batch that is kept for another try."""
    taken: list[bytes] = []

    def take(records: bytes) -> int:
        taken.append(records)
        return len(records)

    reader = Reader(Outbox(take))
    audience = Audience(cast("Format", Cramped()), Counters())
    audience.enter(cast("Connection", reader))
    audience.add(b"one\n", None)
    with pytest.raises(MemoryError):
        audience.flush()
    audience.break_off()
    assert reader.outbox.is_broken_off
    audience.add(b"two\n", None)
    audience.break_off()
    audience.flush()
    assert not taken


async def test_where_openssl_has_no_memory_one_is_broken_off_and_the_others_get_theirs(
    senders: Senders,
) -> None:
    readers = [Reader(Outbox(refuse)), Reader(Outbox(len)), Reader(Outbox(refuse))]
    audience = Audience(cast("Format", Bare()), Counters(), senders)
    for reader in readers:
        audience.enter(cast("Connection", reader))
    audience.add(b"hello\n", None)
    audience.flush()
    assert [reader.outbox.is_broken_off for reader in readers] == [True, False, True]


@pytest.mark.parametrize("leaves", [False, True])
def test_one_whose_own_batch_finds_no_memory_is_broken_off(
    leaves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = [Reader(Outbox(len)), Reader(Outbox(len))]
    audience = Audience(cast("Format", Bare()), Counters())
    for reader in readers:
        audience.enter(cast("Connection", reader))
    audience.add(b"hello\n", None)
    audience.insert(cast("Connection", readers[0]), b"for you\n")
    monkeypatch.setattr("chatroom.server.fanout.audience.splice", refuse)
    if leaves:
        audience.leave(cast("Connection", readers[0]))
    audience.flush()
    assert [reader.outbox.is_broken_off for reader in readers] == [True, False]
