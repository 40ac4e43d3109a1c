"""The epoll mode: a Trio task for each client, an outbox that sends in the broadcaster's turn."""

from __future__ import annotations

import socket
from collections.abc import Callable

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
    LINGER_SECONDS,
    READ_BYTES,
    ServerSettings,
)


class EpollOutbox:
    """See `chatroom.server.connection.Outbox`.

    While the kernel takes everything, nothing is kept and no task runs: `send` is the socket's. A
    flusher starts when the kernel leaves something, and ends when the reader has caught up.
    """

    __slots__ = (
        "_backlog",
        "_closed",
        "_connection",
        "_drained",
        "_nursery",
        "_report_slow",
        "_settings",
        "_sock",
        "failure",
        "send",
    )

    def __init__(
        self,
        sock: socket.socket,
        connection: Connection,
        settings: ServerSettings,
        nursery: trio.Nursery,
        report_slow: ReportSlow,
    ) -> None:
        self._sock = sock
        self._connection = connection
        self._settings = settings
        self._nursery = nursery
        self._report_slow = report_slow
        self._backlog: Backlog | None = None
        self._drained: trio.Event | None = None
        self._closed = False  # nothing more is taken: said goodbye, or the peer is gone
        self.send: Callable[[bytes], int] = sock.send
        self.failure: OSError | None = None

    def push(self, lines: bytes) -> None:
        """Send now what the kernel takes, keep the rest."""
        if not lines:
            return
        try:
            sent_bytes = self.send(lines)
        except BlockingIOError:
            sent_bytes = 0
        except OSError as error:
            self.give_up(error)
            return
        if sent_bytes != len(lines):
            self.keep(lines, sent_bytes)

    def keep(self, lines: bytes, sent_bytes: int) -> None:
        """The kernel leaves the rest: a flusher sends it, and what comes after it waits."""
        self._backlog = Backlog()
        self._backlog.add(lines, sent_bytes)
        self._go_by(self._add)
        self._nursery.start_soon(self._flush)

    def give_up(self, failure: OSError | None = None) -> None:
        """Drop what is kept and take nothing more."""
        self.failure = failure or self.failure
        self._closed = True
        self._backlog = None
        self._go_by(len)  # takes all of it, sends nothing
        self._changed()

    def close(self, last_line: bytes, *, abrupt: bool) -> None:
        """`last_line`, then nothing more."""
        if abrupt and self._backlog is not None and not self._closed:
            self._backlog.cut_to(last_line)
            let_last_line_in(self._sock)
            self._send_head(self._backlog)
            self.give_up()
        self.push(last_line)
        self._closed = True
        self._go_by(len)

    def _go_by(self, send: Callable[[bytes], int]) -> None:
        self.send = send
        connection = self._connection
        if connection.audience is not None:
            connection.audience.sends[connection.slot] = send

    def _add(self, lines: bytes) -> int:
        assert self._backlog is not None
        self._backlog.add(lines)
        limit_bytes = self._settings.outbox_limit_bytes
        if self._backlog.size_bytes > limit_bytes:
            text = f"more than {limit_bytes} bytes were waiting for you to read them"
            self._report_slow(self._connection, text)
        return len(lines)

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
        except OSError as error:
            self.give_up(error)
        except trio.ClosedResourceError:
            self.give_up()

    def _too_late(self) -> None:
        if self._closed:  # it has been said goodbye to, and does not even read that
            self.give_up()
        else:
            seconds = self._settings.write_deadline_seconds
            self._report_slow(self._connection, f"you did not read for {seconds:g} seconds")

    def _flush_some(self) -> None:
        if self._backlog is None:
            return
        self._send_head(self._backlog)
        if self._backlog is not None and not self._backlog.size_bytes:
            self._backlog = None
            if not self._closed:
                self._go_by(self._sock.send)
        self._changed()

    def _send_head(self, backlog: Backlog) -> None:
        try:
            backlog.take(self._sock.sendmsg(backlog.head()))
        except BlockingIOError:
            pass
        except OSError as error:
            self.give_up(error)


class EpollMode:
    """Serves each client in one task of Trio's loop, which is epoll on Linux."""

    name = "epoll"

    def __init__(self, settings: ServerSettings, nursery: trio.Nursery) -> None:
        self._settings = settings
        self._nursery = nursery  # of the flushers

    def attach(self, sock: socket.socket, connection: Connection, report_slow: ReportSlow) -> None:
        """Give `connection` its outbox and the means to stop its reading. Never blocks."""
        sock.setblocking(False)
        connection.outbox = EpollOutbox(
            sock, connection, self._settings, self._nursery, report_slow
        )
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
    async def submit(groups: list[list[Draft]]) -> None:
        for drafts in groups:
            await broadcaster.submit(connection, drafts)
            await connection.outbox.wait_drained()

    try:
        enter_at = trio.current_time() + ENTER_SECONDS
        # Who comes in a crowd has spoken before we look: no wait to set up (40 % more newcomers a
        # second). Once only, because nothing in it lets the others have their turn.
        chunk = _receive_nowait(sock)
        while not reader.begun:
            if chunk is None:
                with trio.move_on_at(enter_at):
                    chunk = await _receive(sock)
            if chunk == b"":
                return ending_at_eof(connection.outbox.failure)
            await submit([reader.enter()] if chunk is None else reader.feed(chunk))
            chunk = None
        while chunk := await _receive(sock):
            await submit(reader.feed(chunk))
    except OSError as error:
        return Ending(CloseReason.LOST, str(error))
    return ending_at_eof(connection.outbox.failure)


def _receive_nowait(sock: socket.socket) -> bytes | None:
    try:
        return sock.recv(READ_BYTES)
    except BlockingIOError:
        return None


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
