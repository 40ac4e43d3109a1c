"""The control socket: a Unix socket, for its owner alone, where the server can be administered."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import trio

from chatroom.protocol.framing import LineSplitter, LineTooLong
from chatroom.server.doubt import InDoubtError
from chatroom.settings import MAX_LINE_BYTES
from chatroom.transport.listening import remove_unix

if TYPE_CHECKING:
    from trio_typing import TaskStatus

    from chatroom.server.administration import Administration

log = logging.getLogger("chatroom.server")

#: Who is connected at one time: it is one person, and perhaps a script.
_AT_ONCE = 8

#: Who says nothing for so long is closed.
_PATIENCE_SECONDS = 60.0

_READ_BYTES = 4096


class Control:
    """Answers each line with a line."""

    def __init__(self, listener: socket.socket, administration: Administration) -> None:
        self._listener = listener
        self._administration = administration
        self._limiter = trio.CapacityLimiter(_AT_ONCE)

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; the socket is closed and removed then."""
        path = self._listener.getsockname()
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(self._listener))
        try:
            task_status.started()
            await trio.serve_listeners(self._handle, [listener])
        finally:
            remove_unix(path)

    async def _handle(self, stream: trio.SocketStream) -> None:
        async with self._limiter:
            try:
                await _converse(stream, self._administration)
            except (trio.BrokenResourceError, LineTooLong):
                pass  # it has gone, or is none of ours
            except InDoubtError:
                raise
            except Exception:
                log.exception("control: fault in the server")


async def _converse(stream: trio.SocketStream, administration: Administration) -> None:
    splitter = LineSplitter(MAX_LINE_BYTES)
    async with stream:
        while True:
            with trio.move_on_after(_PATIENCE_SECONDS) as patience:
                chunk = await stream.receive_some(_READ_BYTES)
            if patience.cancelled_caught or not chunk:
                return
            for line in splitter.feed(bytes(chunk)):
                await stream.send_all(await administration.answer(line))
