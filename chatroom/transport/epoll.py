"""The epoll mode's ends of a connection: an outbox that sends in the broadcaster's turn, and
reading in a task of Trio's loop."""

from __future__ import annotations

import socket
from collections.abc import Callable
from time import monotonic
from typing import Protocol

import trio

from chatroom.settings import LINGER_SECONDS, READ_BYTES
from chatroom.transport.backlog import Backlog
from chatroom.transport.contract import Transport
from chatroom.transport.outbox import NO_MEMORY, Boundary, Shared, remember
from chatroom.transport.sockets import shut


class Owner(Protocol):
    """Whose an outbox is."""

    def reroute(self, send: Callable[[bytes], int]) -> None:
        """The outbox's `send` is another one from now on."""

    def report_slow(self, text: str) -> None:
        """The reader has fallen too far behind: a sentence that says so."""


class EpollOutbox:
    """See `chatroom.transport.outbox.Outbox`.

    While the kernel takes everything, nothing is kept and no task runs: `send` is the transport's.
    A flusher starts when the kernel leaves something, and ends when the reader has caught up.
    """

    __slots__ = (
        "_backlog",
        "_bounds",
        "_budget",
        "_closed",
        "_congestion",
        "_drained",
        "_nursery",
        "_own_bytes",
        "_owner",
        "_shared",
        "failure",
        "moved_at",
        "send",
        "transport",
    )

    def __init__(
        self,
        transport: Transport,
        shared: Shared,
        nursery: trio.Nursery,
        owner: Owner,
    ) -> None:
        """`nursery`: of the flushers."""
        self.transport = transport
        self._shared = shared
        self._bounds = shared.bounds
        self._congestion = shared.congestion
        self._budget = shared.budget
        self._nursery = nursery
        self._owner = owner
        self._backlog: Backlog | None = None
        self._drained: trio.Event | None = None
        self._closed = False  # nothing more is taken: said goodbye, or the peer is gone
        self.send: Callable[[bytes], int] = transport.send
        self.failure: OSError | None = None
        self.moved_at = 0.0
        self._own_bytes = 0  # pushed since the backlog was empty

    def go_over(self, transport: Transport) -> None:
        """Send by another transport from here on. Nothing has been pushed so far."""
        self.transport = transport
        if not self._closed:
            self.send = transport.send

    @property
    def size_bytes(self) -> int:
        return 0 if self._backlog is None else self._backlog.size_bytes

    @property
    def own_bytes(self) -> int:
        """See `chatroom.transport.budget.Holder`."""
        return min(self._own_bytes, self.size_bytes)

    def push(self, records: bytes) -> None:
        """Send now what the kernel takes, keep the rest."""
        if not records:
            return
        self._shared.pushed_bytes += len(records)
        try:
            sent_bytes = self.send(records)
        except BlockingIOError:
            sent_bytes = 0
        except OSError as error:
            self.give_up(error)
            return
        except MemoryError:  # of OpenSSL
            self.break_off()
            return
        if sent_bytes != len(records):
            self.keep(records, sent_bytes)
        if self._backlog is not None:
            self._own_bytes += len(records)
            self._budget.keep(self, len(records))

    def keep(self, records: bytes, sent_bytes: int) -> None:
        """The kernel leaves the rest: a flusher sends it, and what comes after it waits."""
        try:
            self._backlog = Backlog()
            self.moved_at = monotonic()
            self._backlog.add(records, sent_bytes)
            self._go_by(self._add)
            self._judge(self._backlog.size_bytes)
            self._nursery.start_soon(self._flush)
        except MemoryError:
            self.break_off()

    def give_up(self, failure: OSError | None = None) -> None:
        """Drop what is kept and take nothing more."""
        self.failure = remember(failure) or self.failure
        self._closed = True
        self._forget()
        self._go_by(len)  # takes all of it, sends nothing
        self._changed()

    def break_off(self) -> None:
        """Let its reader come to the end of the stream."""
        self.give_up(NO_MEMORY)
        shut(self.transport.sock, socket.SHUT_RDWR)

    def drop_out(self, text: str) -> None:
        """See `chatroom.transport.budget.Holder`."""
        if self._closed:
            self.give_up()
        else:
            self._owner.report_slow(text)

    def _forget(self) -> None:
        """Nothing is kept any more."""
        self._backlog = None
        if self._own_bytes:
            self._own_bytes = 0
            self._budget.forget(self)

    def close(self, last: bytes, boundary: Boundary, *, abrupt: bool) -> None:
        """`last`, then nothing more."""
        if abrupt and self._backlog is not None and not self._closed:
            self._backlog.cut_to(last, boundary, self.transport.begun_bytes)
            self.transport.let_last_in()
            self._send_head(self._backlog)
            self.give_up()
        self.push(last)
        self._closed = True
        self._congestion.leave(self)
        self._go_by(len)

    def _go_by(self, send: Callable[[bytes], int]) -> None:
        self.send = send
        self._owner.reroute(send)

    def _add(self, records: bytes) -> int:
        assert self._backlog is not None
        try:
            self._backlog.add(records)
            self._judge(self._backlog.size_bytes)
        except MemoryError:
            self.break_off()
        return len(records)

    def _judge(self, size_bytes: int) -> None:
        if size_bytes <= self._bounds.behind_bytes or self._closed:
            return
        self._congestion.enter(self)
        text = self._bounds.too_much(size_bytes, monotonic() - self.moved_at)
        if text:
            self._owner.report_slow(text)

    async def wait_drained(self) -> None:
        """Wait until little is kept, or nothing will leave any more."""
        while self._backlog is not None and self._backlog.size_bytes > self._bounds.drained_bytes:
            await self._wait_change()

    async def wait_empty(self) -> None:
        """Wait until nothing is kept, or nothing will leave any more."""
        while self._backlog is not None:
            await self._wait_change()

    async def _wait_change(self) -> None:
        if self._drained is None:
            self._drained = trio.Event()
        await self._drained.wait()

    def _changed(self) -> None:
        if self.size_bytes <= self._bounds.behind_bytes // 2:
            self._congestion.leave(self)
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    async def _flush(self) -> None:
        """Send what is kept, until nothing is. What waits at the beginning of a deadline has to
        have left at its end; bytes a second do not count as reading.
        """
        try:
            while self._backlog is not None:
                mark_bytes = self._backlog.taken_bytes + self._backlog.size_bytes
                with trio.move_on_after(self._bounds.deadline_seconds) as deadline:
                    while self._backlog is not None and self._backlog.taken_bytes < mark_bytes:
                        await trio.lowlevel.wait_writable(self.transport.sock)
                        self._flush_some()
                if deadline.cancelled_caught and self._backlog is not None:
                    self.drop_out(self._bounds.too_late())
                    return
        except (MemoryError, OSError):  # of the waiting, which is an entry of the system's too
            self.break_off()
        except trio.ClosedResourceError:
            self.give_up()

    def _flush_some(self) -> None:
        if self._backlog is None:
            return
        self._send_head(self._backlog)
        if self._backlog is not None and not self._backlog.size_bytes:
            self._forget()
            if not self._closed:
                self._go_by(self.transport.send)
        self._changed()

    def _send_head(self, backlog: Backlog) -> None:
        try:
            backlog.take(self.transport.send_some(backlog.head()))
        except BlockingIOError:
            pass
        except OSError as error:
            self.give_up(error)
        else:
            self.moved_at = monotonic()


def receive_nowait(transport: Transport) -> bytes | None:
    """What has come already; None if nothing has. Raises OSError."""
    try:
        return transport.receive(READ_BYTES)
    except BlockingIOError:
        return None


async def peek(sock: socket.socket) -> bytes:
    """The first byte that comes, which stays where it is; empty at the end. Raises OSError."""
    while True:
        await trio.lowlevel.wait_readable(sock)
        try:
            return sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            continue


async def receive(transport: Transport) -> bytes:
    """What the peer says next; empty at the end. Raises OSError. Cancelled, nothing is lost."""
    # Waiting for the descriptor and reading the socket itself saves a turn of Trio's loop over
    # SocketStream.receive_some (measured in the dispatch of one message: 132 µs against 171).
    while True:
        await trio.lowlevel.wait_readable(transport.sock)
        try:
            return transport.receive(READ_BYTES)
        except BlockingIOError:
            continue


async def linger(transport: Transport) -> None:
    """Give the client time to read its last line: closing a socket with unread bytes resets the
    connection, and a reset overtakes what is still on its way. The socket must not block.
    """
    try:
        transport.shut_write()
        with trio.move_on_after(LINGER_SECONDS):
            while await receive(transport):
                pass
    except OSError:
        pass  # the client is gone already
