"""The thread mode's ends of a connection: an outbox with a thread that writes, blocking reads."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from time import monotonic

import trio

from chatroom.settings import READ_BYTES
from chatroom.transport import epoll
from chatroom.transport.backlog import Backlog
from chatroom.transport.contract import Transport
from chatroom.transport.outbox import NO_MEMORY, Boundary, Shared, remember
from chatroom.transport.sockets import shut
from chatroom.transport.stream import timeval

#: A blocking send returns after this at the latest, to look at its deadline and at goodbyes.
SEND_SECONDS = 0.25


class ThreadOutbox:
    """See `chatroom.transport.outbox.Outbox`. A thread of its own writes what is pushed."""

    def __init__(
        self,
        transport: Transport,
        shared: Shared,
        *,
        report_slow: Callable[[str], None],
    ) -> None:
        self.transport = transport
        self._shared = shared
        self._bounds = shared.bounds
        self._congestion = shared.congestion
        self._budget = shared.budget
        self._report_slow = report_slow
        self._trio = trio.lowlevel.current_trio_token()
        # Guards all below; notified when anything changes.
        self._change = threading.Condition()
        self._backlog = Backlog()
        self._closed = False  # nothing more is taken
        self._last: tuple[bytes, Boundary] | None = None  # of an abrupt end
        self._behind = False
        self._drained: trio.Event | None = None
        self._written = trio.Event()
        self.failure: OSError | None = None
        self.moved_at = 0.0
        self._own_bytes = 0  # pushed since the backlog was seen empty; in Trio's thread

    def go_over(self, transport: Transport) -> None:
        """Send by another transport from here on. Nothing has been pushed so far."""
        self.transport = transport

    @property
    def size_bytes(self) -> int:
        return self._backlog.size_bytes

    @property
    def own_bytes(self) -> int:
        """See `chatroom.transport.budget.Holder`."""
        return min(self._own_bytes, self._backlog.size_bytes)

    def push(self, records: bytes) -> None:
        """Keep the records for the writing thread."""
        if self._closed:  # an ack may come after the end: the budget is to forget who has gone
            return
        if not self._backlog.size_bytes:
            self._own_bytes = 0
        self.send(records)
        self._own_bytes += len(records)
        self._shared.pushed_bytes += len(records)
        self._budget.keep(self, len(records))

    def send(self, records: bytes) -> int:
        """Keep the records for the writing thread: all of them are taken."""
        try:
            with self._change:
                if self._closed or not records:
                    return len(records)
                if not self._backlog.size_bytes:
                    self.moved_at = monotonic()
                self._backlog.add(records)
                size_bytes = self._backlog.size_bytes
                self._change.notify_all()
            if size_bytes > self._bounds.behind_bytes:
                self._judge(size_bytes)
        except MemoryError:
            self.break_off()
        return len(records)

    def _judge(self, size_bytes: int) -> None:
        self._behind = True
        self._congestion.enter(self)
        text = self._bounds.too_much(size_bytes, monotonic() - self.moved_at)
        if text:
            self._report_slow(text)

    def keep(self, records: bytes, sent_bytes: int) -> None:
        """Never called for: `send` takes everything."""
        raise AssertionError(sent_bytes)

    def close(self, last: bytes, boundary: Boundary, *, abrupt: bool) -> None:
        """`last`, then nothing more."""
        with self._change:
            if self._closed:
                return
            self._closed = True
            if abrupt and self._backlog.size_bytes:
                self._last = (last, boundary)  # the writer has its hands on the backlog's head
            elif last:
                self._backlog.add(last)
            self._change.notify_all()
        self._eased()

    def give_up(self, failure: OSError | None = None) -> None:
        """Nothing more leaves; the writing thread ends."""
        with self._change:
            self.failure = remember(failure) or self.failure
            self._closed = True
            self._backlog.clear()
            self._change.notify_all()
        with contextlib.suppress(trio.RunFinishedError):
            self._trio.run_sync_soon(self._eased)

    def break_off(self) -> None:
        """Let its reader come to the end of the stream, and its writer too. In either thread."""
        try:
            self.give_up(NO_MEMORY)
        finally:
            shut(self.transport.sock, socket.SHUT_RDWR)

    def drop_out(self, text: str) -> None:
        """See `chatroom.transport.budget.Holder`."""
        if self._closed:
            self.give_up()
        else:
            self._report_slow(text)

    async def wait_empty(self) -> None:
        """Wait until the writing thread has ended: everything has left, or nothing will."""
        await self._written.wait()
        self._budget.forget(self)

    async def wait_drained(self) -> None:
        """Wait until little is kept, or nothing will leave any more."""
        while not self._is_drained():
            if self._drained is None:
                self._drained = trio.Event()
            await self._drained.wait()

    def _is_drained(self) -> bool:
        return self._closed or self._backlog.size_bytes <= self._bounds.drained_bytes

    def _eased(self) -> None:
        """In Trio's thread: somebody may be waiting for what has left."""
        if self._closed or self._backlog.size_bytes <= self._bounds.behind_bytes // 2:
            self._behind = False
            self._congestion.leave(self)
        if not self._backlog.size_bytes:
            self._budget.forget(self)
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    def block_until_drained(self) -> None:
        """Block this thread until little is kept, or nothing will leave any more."""
        with self._change:
            self._change.wait_for(self._is_drained)

    def block_until_told(self) -> OSError | None:
        """At the end of the stream: what the writing thread's sending failed with. It may be about
        to say so, which is waited for if it is at work, for `SEND_SECONDS` at most.
        """
        with self._change:
            self._change.wait_for(
                lambda: self._closed or not self._backlog.size_bytes, SEND_SECONDS
            )
            return self.failure

    def write_all(self) -> None:
        """The writing thread: blocks until the outbox is closed and empty, or the peer is gone."""
        try:
            while self._wait_for_records():
                self._write_by(monotonic() + self._bounds.deadline_seconds)
            if self._last is not None:
                with self._change:
                    self._write_last(*self._last)
        except OSError as error:
            self.give_up(error)
        except MemoryError:
            self.break_off()
        finally:
            self._trio.run_sync_soon(self._written.set)

    def _wait_for_records(self) -> bool:
        with self._change:
            self._change.wait_for(lambda: self._closed or self._backlog.size_bytes)
            return self._last is None and bool(self._backlog.size_bytes)

    def _write_by(self, deadline: float) -> None:
        """Send what is kept now; what is not gone at the deadline makes a slow reader."""
        mark_bytes = self._backlog.taken_bytes + self._backlog.size_bytes
        while self._backlog.size_bytes and self._backlog.taken_bytes < mark_bytes:
            with self._change:
                head = self._backlog.head()
            sent_bytes = self._send_some(head)
            with self._change:
                if self._backlog.size_bytes:  # else it was abandoned meanwhile
                    self._backlog.take(sent_bytes)
                if sent_bytes:
                    self._moved()
                self._change.notify_all()
                if self._last is not None:
                    return
            if monotonic() > deadline:
                self._too_late()
                return

    def _moved(self) -> None:
        self.moved_at = monotonic()
        if self._behind or (self._drained is not None and self._is_drained()):
            self._trio.run_sync_soon(self._eased)

    def _send_some(self, head: list[bytes | memoryview]) -> int:
        try:
            return self.transport.send_some(head)
        except BlockingIOError:  # SO_SNDTIMEO: the reader took nothing
            return 0

    def _write_last(self, last: bytes, boundary: Boundary) -> None:
        self._backlog.cut_to(last, boundary, self.transport.begun_bytes)
        self.transport.let_last_in()
        with contextlib.suppress(BlockingIOError):
            self.transport.send_some(self._backlog.head(), wait=False)
        self._backlog = Backlog()

    def _too_late(self) -> None:
        with self._change:
            if self._last is not None:
                return  # it is being ended already: what has begun to leave is not to be torn
            if self._closed:
                self._backlog = Backlog()
                return
        self._trio.run_sync_soon(self._report_slow, self._bounds.too_late())


def receive_by(transport: Transport, deadline: float) -> bytes | None:
    """What the peer says next, or None at `deadline` (of `monotonic`). Blocks. Raises OSError."""
    transport.set_patience(max(deadline - monotonic(), 0.001))  # 0 would be not at all
    try:
        return transport.receive(READ_BYTES)
    except BlockingIOError:
        return None


def peek_by(transport: Transport, deadline: float) -> bytes | None:
    """The first byte that comes, which stays where it is; empty at the end, None at `deadline`.
    Blocks. Raises OSError.
    """
    transport.set_patience(max(deadline - monotonic(), 0.001))
    try:
        return transport.sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return None


async def linger(transport: Transport) -> None:
    """As `chatroom.transport.epoll.linger`, when both threads have ended."""
    with contextlib.suppress(OSError):  # it is closed already
        transport.set_patience(0)
    await epoll.linger(transport)


def receive_for_ever(transport: Transport) -> None:
    """Let reads wait without a deadline again."""
    transport.set_patience(None)


def make_blocking(sock: socket.socket) -> None:
    """Set up an accepted socket for this mode: its sends return after `SEND_SECONDS`."""
    sock.setblocking(True)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval(SEND_SECONDS))
