"""The thread mode, the baseline: two threads a client, blocking calls, the same room behind."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from time import monotonic

import trio

from chatroom.event import CloseReason
from chatroom.protocol.reader import RequestReader
from chatroom.protocol.requests import Draft, Ending
from chatroom.server.backlog import Backlog
from chatroom.server.broadcaster import Broadcaster
from chatroom.server.connection import Connection, ReportSlow, ending_at_eof
from chatroom.server.sockets import let_last_line_in
from chatroom.settings import (
    DRAINED_BYTES,
    ENTER_SECONDS,
    LOBBY_CONNECTIONS,
    READ_BYTES,
    ServerSettings,
)

#: A blocking send returns after this at the latest, to look at its deadline and at goodbyes.
SEND_SECONDS = 0.25


class ThreadOutbox:
    """See `chatroom.server.connection.Outbox`. A thread of its own writes what is pushed."""

    def __init__(
        self,
        sock: socket.socket,
        connection: Connection,
        settings: ServerSettings,
        report_slow: ReportSlow,
    ) -> None:
        self._sock = sock
        self._connection = connection
        self._settings = settings
        self._report_slow = report_slow
        self._trio = trio.lowlevel.current_trio_token()
        # Guards all below; notified when anything changes.
        self._change = threading.Condition()
        self._backlog = Backlog()
        self._closed = False  # nothing more is taken
        self._last_line: bytes | None = None  # of an abrupt end
        self._written = trio.Event()
        self.failure: OSError | None = None

    def push(self, lines: bytes) -> None:
        """Keep the lines for the writing thread."""
        self.send(lines)

    def send(self, lines: bytes) -> int:
        """Keep the lines for the writing thread: all of them are taken."""
        with self._change:
            if self._closed or not lines:
                return len(lines)
            self._backlog.add(lines)
            size_bytes = self._backlog.size_bytes
            self._change.notify_all()
        limit_bytes = self._settings.outbox_limit_bytes
        if size_bytes > limit_bytes:
            text = f"more than {limit_bytes} bytes were waiting for you to read them"
            self._report_slow(self._connection, text)
        return len(lines)

    def keep(self, lines: bytes, sent_bytes: int) -> None:
        """Never called for: `send` takes everything."""
        raise AssertionError(sent_bytes)

    def close(self, last_line: bytes, *, abrupt: bool) -> None:
        """`last_line`, then nothing more."""
        with self._change:
            if self._closed:
                return
            self._closed = True
            if abrupt and self._backlog.size_bytes:
                self._last_line = last_line  # the writer has its hands on the backlog's head
            else:
                self._backlog.add(last_line)
            self._change.notify_all()

    def give_up(self, failure: OSError | None = None) -> None:
        """Nothing more leaves; the writing thread ends."""
        with self._change:
            self.failure = failure or self.failure
            self._closed = True
            self._backlog = Backlog()
            self._change.notify_all()

    async def wait_empty(self) -> None:
        """Wait until the writing thread has ended: everything has left, or nothing will."""
        await self._written.wait()

    async def wait_drained(self) -> None:
        """In this mode the reading thread waits, not a task: see `block_until_drained`."""
        await trio.to_thread.run_sync(self.block_until_drained)

    def block_until_drained(self) -> None:
        """Block this thread until little is kept, or nothing will leave any more."""
        with self._change:
            self._change.wait_for(lambda: self._closed or self._backlog.size_bytes <= DRAINED_BYTES)

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
            while self._wait_for_lines():
                self._write_by(monotonic() + self._settings.write_deadline_seconds)
            if self._last_line is not None:
                with self._change:
                    self._write_last_line(self._last_line)
        except OSError as error:
            self.give_up(error)
        finally:
            self._trio.run_sync_soon(self._written.set)

    def _wait_for_lines(self) -> bool:
        with self._change:
            self._change.wait_for(lambda: self._closed or self._backlog.size_bytes)
            return self._last_line is None and bool(self._backlog.size_bytes)

    def _write_by(self, deadline: float) -> None:
        """Send what is kept now; what is not gone at the deadline makes a slow reader."""
        mark_bytes = self._backlog.taken_bytes + self._backlog.size_bytes
        while self._backlog.size_bytes and self._backlog.taken_bytes < mark_bytes:
            with self._change:
                head = self._backlog.head()
            sent = self._send_some(head)
            with self._change:
                if self._backlog.size_bytes:  # else it was abandoned meanwhile
                    self._backlog.take(sent)
                self._change.notify_all()
                if self._last_line is not None:
                    return
            if monotonic() > deadline:
                self._too_late()
                return

    def _send_some(self, head: list[bytes | memoryview]) -> int:
        try:
            return self._sock.sendmsg(head)
        except BlockingIOError:  # SO_SNDTIMEO: the reader took nothing
            return 0

    def _write_last_line(self, last_line: bytes) -> None:
        self._backlog.cut_to(last_line)
        let_last_line_in(self._sock)
        with contextlib.suppress(BlockingIOError):
            self._sock.sendmsg(self._backlog.head(), (), socket.MSG_DONTWAIT)
        self._backlog = Backlog()

    def _too_late(self) -> None:
        with self._change:
            if self._closed:
                self._backlog = Backlog()
                return
        seconds = self._settings.write_deadline_seconds
        text = f"you did not read for {seconds:g} seconds"
        self._trio.run_sync_soon(self._report_slow, self._connection, text)


class ThreadMode:
    """Serves each client with a thread that reads and a thread that writes."""

    name = "thread"

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._limiter = trio.CapacityLimiter(2 * (settings.max_clients + LOBBY_CONNECTIONS))

    def attach(self, sock: socket.socket, connection: Connection, report_slow: ReportSlow) -> None:
        """See `chatroom.server.connection.Mode`."""
        sock.setblocking(True)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(SEND_SECONDS))
        connection.outbox = ThreadOutbox(sock, connection, self._settings, report_slow)
        stopped = connection.stopped = threading.Event()

        def stop_reading() -> None:
            stopped.set()
            _shut(sock, socket.SHUT_RD)  # wakes the reading thread

        connection.stop_reading = stop_reading

    async def serve(
        self,
        sock: socket.socket,
        connection: Connection,
        reader: RequestReader,
        broadcaster: Broadcaster,
    ) -> None:
        """See `chatroom.server.connection.Mode`. When cancelled, both threads are woken by the
        shutdown of their socket and end: none is abandoned.
        """
        outbox = connection.outbox
        assert isinstance(outbox, ThreadOutbox)
        try:
            async with trio.open_nursery() as threads:
                threads.start_soon(_wake_on_cancel, sock, outbox)
                threads.start_soon(self._run_in_thread, outbox.write_all)
                ending = await trio.to_thread.run_sync(
                    _converse, sock, connection, reader, broadcaster, limiter=self._limiter
                )
                if connection.close_reason is None:
                    await broadcaster.submit(connection, [ending])
                await outbox.wait_empty()
                _say_goodbye(sock)
                threads.cancel_scope.cancel()
        finally:
            sock.close()

    async def _run_in_thread(self, work: Callable[[], None]) -> None:
        await trio.to_thread.run_sync(work, limiter=self._limiter)


async def _wake_on_cancel(sock: socket.socket, outbox: ThreadOutbox) -> None:
    try:
        await trio.sleep_forever()
    finally:
        outbox.give_up()
        _shut(sock, socket.SHUT_RDWR)


def _converse(
    sock: socket.socket, connection: Connection, reader: RequestReader, broadcaster: Broadcaster
) -> Ending:
    outbox = connection.outbox
    assert isinstance(outbox, ThreadOutbox)

    def submit(groups: list[list[Draft]]) -> None:
        for drafts in groups:
            trio.from_thread.run(broadcaster.submit, connection, drafts)
            outbox.block_until_drained()

    try:
        enter_at = monotonic() + ENTER_SECONDS
        while not reader.begun:
            chunk = _receive_by(sock, enter_at)
            if chunk == b"":
                return ending_at_eof(outbox.block_until_told())
            submit([reader.enter()] if chunk is None else reader.feed(chunk))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(0))
        # A socket that was shut down still gives what comes: a talker would never be done with.
        while not connection.stopped.is_set() and (chunk := sock.recv(READ_BYTES)):
            submit(reader.feed(chunk))
    except OSError as error:
        return Ending(CloseReason.LOST, str(error))
    return ending_at_eof(outbox.block_until_told())


def _receive_by(sock: socket.socket, deadline: float) -> bytes | None:
    """What the client says until then; None if it says nothing."""
    left = max(deadline - monotonic(), 0.001)  # 0 would be for ever
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(left))
    try:
        return sock.recv(READ_BYTES)
    except BlockingIOError:
        return None


def _timeval(seconds: float) -> bytes:
    return struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))


def _shut(sock: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):  # the peer may have gone already
        sock.shutdown(how)


def _say_goodbye(sock: socket.socket) -> None:
    """Nothing more is sent; what was not read is read, so that closing does not reset the
    connection and overtake the last line.
    """
    _shut(sock, socket.SHUT_WR)
    with contextlib.suppress(OSError):
        while sock.recv(READ_BYTES, socket.MSG_DONTWAIT):
            pass
