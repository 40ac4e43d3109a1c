"""The epoll mode: a Trio task for each client, an outbox that sends in the broadcaster's turn."""

from __future__ import annotations

import socket
from collections.abc import Callable

import trio

from chatroom.event import CloseReason
from chatroom.protocol.reader import RequestReader
from chatroom.protocol.requests import Ending
from chatroom.server.backlog import Backlog
from chatroom.server.broadcaster import Broadcaster
from chatroom.server.connection import Connection
from chatroom.server.sockets import let_last_line_in
from chatroom.settings import (
    DRAINED_BYTES,
    ENTER_SECONDS,
    LINGER_SECONDS,
    READ_BYTES,
    ServerSettings,
)


class EpollOutbox:
    """See `chatroom.server.connection.Outbox`.

    While the kernel takes everything, nothing is kept and no task runs: `push` is one `send`. A
    flusher starts when the kernel leaves something, and ends when the reader has caught up.
    """

    __slots__ = (
        "_backlog",
        "_closed",
        "_drained",
        "_nursery",
        "_report_slow",
        "_send",
        "_settings",
        "_sock",
    )

    def __init__(
        self,
        sock: socket.socket,
        settings: ServerSettings,
        nursery: trio.Nursery,
        report_slow: Callable[[str], None],
    ) -> None:
        self._sock = sock
        self._send = sock.send
        self._settings = settings
        self._nursery = nursery
        self._report_slow = report_slow
        self._backlog: Backlog | None = None
        self._drained: trio.Event | None = None
        self._closed = False  # nothing more is taken: said goodbye, or the peer is gone

    def push(self, lines: bytes) -> None:
        """Send now what the kernel takes, keep the rest."""
        if self._closed:
            return
        if self._backlog is not None:
            self._backlog.add(lines)
            self._check_limit(self._backlog)
            return
        try:
            sent = self._send(lines)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._give_up()
            return
        if sent != len(lines):
            self._backlog = Backlog()
            self._backlog.add(lines, sent)
            self._check_limit(self._backlog)
            self._nursery.start_soon(self._flush)

    def close(self, last_line: bytes, *, abrupt: bool) -> None:
        """`last_line`, then nothing more."""
        if abrupt and self._backlog is not None and not self._closed:
            self._backlog.cut_to(last_line)
            let_last_line_in(self._sock)
            self._send_head(self._backlog)
            self._give_up()
        self.push(last_line)
        self._closed = True

    async def wait_drained(self) -> None:
        """Wait until little is kept, or nothing will leave any more."""
        while self._backlog is not None and self._backlog.size_bytes > DRAINED_BYTES:
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
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    def _give_up(self) -> None:
        # The peer does not take anything more. Its reading side finds out why, after it has read
        # what the peer may have said before.
        self._closed = True
        self._backlog = None
        self._changed()

    def _check_limit(self, backlog: Backlog) -> None:
        limit_bytes = self._settings.outbox_limit_bytes
        if backlog.size_bytes > limit_bytes:
            self._report_slow(f"more than {limit_bytes} bytes were waiting for you to read them")

    async def _flush(self) -> None:
        """Send what is kept, until nothing is. What waits at the beginning of a deadline has to
        have left at its end; bytes a second do not count as reading.
        """
        try:
            while self._backlog is not None:
                mark_bytes = self._backlog.taken_bytes + self._backlog.size_bytes
                with trio.move_on_after(self._settings.write_deadline_seconds) as deadline:
                    while self._backlog is not None and self._backlog.taken_bytes < mark_bytes:
                        await trio.lowlevel.wait_writable(self._sock)
                        self._flush_some()
                if deadline.cancelled_caught and self._backlog is not None:
                    self._too_late()
                    return
        except (OSError, trio.ClosedResourceError):
            self._give_up()

    def _too_late(self) -> None:
        if self._closed:  # it has been said goodbye to, and does not even read that
            self._give_up()
        else:
            seconds = self._settings.write_deadline_seconds
            self._report_slow(f"you did not read for {seconds:g} seconds")

    def _flush_some(self) -> None:
        if self._backlog is None:
            return
        self._send_head(self._backlog)
        if not self._backlog.size_bytes:
            self._backlog = None
        self._changed()

    def _send_head(self, backlog: Backlog) -> None:
        try:
            backlog.take(self._sock.sendmsg(backlog.head()))
        except BlockingIOError:
            pass
        except OSError:
            self._give_up()


class EpollMode:
    """Serves each client in one task of Trio's loop, which is epoll on Linux."""

    name = "epoll"

    def __init__(self, settings: ServerSettings, nursery: trio.Nursery) -> None:
        self._settings = settings
        self._nursery = nursery  # of the flushers

    def attach(
        self, sock: socket.socket, connection: Connection, report_slow: Callable[[str], None]
    ) -> None:
        """Give `connection` its outbox and the means to stop its reading. Never blocks."""
        sock.setblocking(False)
        connection.outbox = EpollOutbox(sock, self._settings, self._nursery, report_slow)
        connection.reading = trio.CancelScope()
        connection.stop_reading = connection.reading.cancel

    async def serve(
        self,
        sock: socket.socket,
        connection: Connection,
        reader: RequestReader,
        broadcaster: Broadcaster,
    ) -> None:
        """Read what the client says until it ends, then let its outbox empty. Closes the socket,
        also when cancelled.
        """
        ending = Ending(CloseReason.QUIT, "")
        try:
            with connection.reading:
                ending = await _converse(sock, connection, reader, broadcaster)
            if connection.close_reason is None:
                await broadcaster.submit(connection, [ending])
            await connection.outbox.wait_empty()
            await _linger(sock)
        finally:
            trio.lowlevel.notify_closing(sock)
            sock.close()


async def _converse(
    sock: socket.socket, connection: Connection, reader: RequestReader, broadcaster: Broadcaster
) -> Ending:
    try:
        chunk: bytes | None = None
        with trio.move_on_after(ENTER_SECONDS):
            chunk = await _receive(sock)
        if chunk is None:
            await broadcaster.submit(connection, reader.enter())
            chunk = await _receive(sock)
        while chunk:
            for drafts in reader.feed(chunk):
                await broadcaster.submit(connection, drafts)
            await connection.outbox.wait_drained()
            chunk = await _receive(sock)
    except OSError as error:
        return Ending(CloseReason.LOST, str(error))
    return Ending(CloseReason.QUIT, "")


async def _receive(sock: socket.socket) -> bytes:
    # Waiting for the descriptor and reading the socket itself saves a turn of Trio's loop over
    # SocketStream.receive_some (measured in the dispatch of one message: 132 µs against 171).
    while True:
        await trio.lowlevel.wait_readable(sock)
        try:
            return sock.recv(READ_BYTES)
        except BlockingIOError:
            continue


async def _linger(sock: socket.socket) -> None:
    """Give the client time to read its last line: closing a socket with unread bytes resets the
    connection, and a reset overtakes what is still on its way.
    """
    try:
        sock.shutdown(socket.SHUT_WR)
        with trio.move_on_after(LINGER_SECONDS):
            while await _receive(sock):
                pass
    except OSError:
        pass  # the client is gone already
