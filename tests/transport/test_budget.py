"""All outboxes together keep a bounded amount, and who keeps most of it goes first."""

from __future__ import annotations

import socket

import trio
from hypothesis import given
from hypothesis import strategies as st

from chatroom.protocol.format import end_of_line
from chatroom.transport.budget import Budget
from chatroom.transport.outbox import Bounds, Congestion, Shared
from chatroom.transport.stream import SocketTransport
from chatroom.transport.threads import ThreadOutbox

LIMIT_BYTES = 8000


class Holder:
    """See `chatroom.transport.budget.Holder`."""

    def __init__(self, budget: Budget) -> None:
        self.own_bytes = 0
        self.why = ""
        self._budget = budget

    def keep(self, size_bytes: int) -> None:
        self.own_bytes += size_bytes
        self._budget.keep(self, size_bytes)

    def drop_out(self, text: str) -> None:
        assert not self.why
        self.why = text
        self.own_bytes = 0
        self._budget.forget(self)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 900)), max_size=200))
def test_never_more_than_the_limit_is_kept(moves: list[tuple[int, int]]) -> None:
    budget = Budget(LIMIT_BYTES)
    holders = [Holder(budget) for _ in range(6)]
    for who, size_bytes in moves:
        if holders[who].why:
            holders[who] = Holder(budget)
        before = [holder.own_bytes for holder in holders]
        holders[who].keep(size_bytes)
        before[who] += size_bytes
        dropped = [
            size for size, holder in zip(before, holders, strict=True) if not holder.own_bytes
        ]
        staying = [holder.own_bytes for holder in holders if holder.own_bytes]
        if any(dropped) and staying:
            assert min(size for size in dropped if size) >= max(staying)
        assert sum(holder.own_bytes for holder in holders) == budget.total_bytes()
        assert budget.total_bytes() <= LIMIT_BYTES


def test_little_that_is_kept_closes_nobody() -> None:
    budget = Budget(LIMIT_BYTES)
    holder = Holder(budget)
    for _ in range(10_000):  # kept and gone again, for ever
        holder.keep(100)
        holder.own_bytes = 0
    assert not holder.why


async def test_who_has_gone_is_forgotten_though_an_ack_comes_after_the_end() -> None:
    """In the thread mode too, where everything that is pushed is kept for a while."""
    budget = Budget(1 << 20)
    shared = Shared(Bounds(1 << 20, 10), Congestion(), budget)
    here, there = socket.socketpair()
    with here, there:
        outbox = ThreadOutbox(SocketTransport(here), shared, report_slow=lambda text: None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, outbox.write_all)
            outbox.push(b"hello\n")
            outbox.close(b"bye\n", end_of_line, abrupt=False)
            await outbox.wait_empty()
        assert there.recv(100) == b"hello\nbye\n"
        outbox.push(b"stored\n")
    assert len(budget) == 0
    assert shared.pushed_bytes == len(b"hello\n")
