"""How connections are served: what is asked of a mode, and the baseline, two threads for each. The
room behind them is the same.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Protocol

import trio

from chatroom.server.serving.conversation import Intake, run_blocking
from chatroom.server.serving.doorstep import attend
from chatroom.settings import LOBBY_CONNECTIONS, READ_BYTES, ServerSettings
from chatroom.transport import threads
from chatroom.transport.sockets import has_more, shut
from chatroom.transport.stream import SocketTransport
from chatroom.transport.tls_handshake import ThreadHandshakes

if TYPE_CHECKING:
    from trio_typing import TaskStatus

    from chatroom.protocol.requests import Draft
    from chatroom.protocol.session import Session, Visit, Wait
    from chatroom.server.connection import Connection
    from chatroom.transport.outbox import Shared
    from chatroom.transport.tls_server import ServerTls

#: Called in Trio's thread with a sentence that says why: has a slow reader closed.
ReportSlow = Callable[["Connection", str], None]


class Mode(Protocol):
    """How the clients' sockets are served."""

    def attach(self, sock: socket.socket, connection: Connection) -> None:
        """Give `connection` its outbox and its reader. Never blocks."""

    def greet(self, connection: Connection, visit: Visit) -> bool:
        """Deal with what a newcomer says first, and with its silence, without a task; `run` says
        when it is to be served. False: it is to be served now, as `visit`. Never blocks. After a
        `MemoryError` it is forgotten.
        """

    async def serve(self, connection: Connection, visit: Visit | None) -> bool:
        """Read what the client says until it ends, then let its outbox empty; or until it is quiet.
        Whether it has ended: else it is to be called again when `run` says so. Without a `visit`
        it is in the middle of what it says. When it has, and when cancelled, its transport is
        closed.
        """

    async def run(
        self,
        wake: Callable[[Connection], None],
        *,
        task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Call `wake` for each that has been greeted or was quiet, and is to be served. Runs until
        cancelled; those who have no task then are to be served, too, to end as all others.
        """


class ThreadMode:
    """Serves each client with a thread that reads and a thread that writes."""

    def __init__(
        self,
        settings: ServerSettings,
        intake: Intake,
        shared: Shared,
        report_slow: ReportSlow,
        tls: ServerTls | None,
    ) -> None:
        self._handshakes = None if tls is None else ThreadHandshakes(tls)
        self._shared = shared
        self._intake = intake
        self._report_slow = report_slow
        self._limiter = trio.CapacityLimiter(2 * (settings.max_clients + LOBBY_CONNECTIONS))

    def attach(self, sock: socket.socket, connection: Connection) -> None:
        threads.make_blocking(sock)
        transport = SocketTransport(sock)
        outbox = connection.outbox = threads.ThreadOutbox(
            transport,
            self._shared,
            report_slow=lambda text: self._report_slow(connection, text),
        )
        connection.reader = _ThreadLine(connection, outbox, self._intake, self._handshakes)

    def greet(self, connection: Connection, visit: Visit) -> bool:
        """Nobody: what has come is read by the connection's own thread."""
        return False

    async def serve(self, connection: Connection, visit: Visit | None) -> bool:
        """When cancelled, both threads are woken by the shutdown of their socket and end: none is
        abandoned.
        """
        outbox, line = connection.outbox, connection.reader
        assert isinstance(outbox, threads.ThreadOutbox)
        assert isinstance(line, _ThreadLine)
        assert visit is not None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_wake_on_cancel, connection, outbox)
                nursery.start_soon(self._run_in_thread, outbox.write_all)
                ending = await trio.to_thread.run_sync(
                    lambda: run_blocking(attend(visit, line)), limiter=self._limiter
                )
                await self._intake.end(connection, ending)
                await outbox.wait_empty()
                await threads.linger(outbox.transport)  # both threads have ended
                nursery.cancel_scope.cancel()
        finally:
            outbox.transport.close()
        return True

    async def run(
        self,
        wake: Callable[[Connection], None],
        *,
        task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        task_status.started()

    async def _run_in_thread(self, work: Callable[[], None]) -> None:
        await trio.to_thread.run_sync(work, limiter=self._limiter)


class _ThreadLine:
    """See `chatroom.server.serving.doorstep.Door`, whose coroutines block and never yield, and
    `chatroom.server.connection.Reader`.
    """

    session: Session

    def __init__(
        self,
        connection: Connection,
        outbox: threads.ThreadOutbox,
        intake: Intake,
        handshakes: ThreadHandshakes | None,
    ) -> None:
        self.connection = connection
        self._outbox = outbox
        self._intake = intake
        self._stopped = threading.Event()
        self._handshakes = handshakes
        self._wait: Wait | None = None
        self._deadline = 0.0
        self._timed = False

    def stop_reading(self) -> None:
        self._stopped.set()
        self._intake.let_go(self.connection)
        shut(self._outbox.transport.sock, socket.SHUT_RD)  # wakes the reading thread

    def has_more(self) -> bool:
        return has_more(self._outbox.transport.sock)

    @property
    def offers_tls(self) -> bool:
        return self._handshakes is not None

    async def peek_within(self, wait: Wait) -> bytes | None:
        self._timed = True
        return threads.peek_by(self._outbox.transport, monotonic() + wait.seconds)

    async def secure(self) -> str:
        assert self._handshakes is not None
        self.connection.securing()
        certificate = self._handshakes.secure(self._outbox)
        self.connection.secured()
        return certificate

    def receive_nowait(self) -> bytes | None:
        return None

    async def receive(self) -> bytes:
        if self._timed:
            self._timed = False
            threads.receive_for_ever(self._outbox.transport)
        return b"" if self._stopped.is_set() else self._outbox.transport.receive(READ_BYTES)

    async def receive_within(self, wait: Wait) -> bytes | None:
        if wait is not self._wait:
            self._wait = wait
            self._deadline = monotonic() + wait.seconds
        self._timed = True
        # A socket that was shut down still gives what comes: a talker would never be done with.
        if self._stopped.is_set():
            return b""
        return threads.receive_by(self._outbox.transport, self._deadline)

    async def submit(self, drafts: Sequence[Draft], *, more: bool) -> None:
        trio.from_thread.run(self._take, drafts, more)
        self._outbox.block_until_drained()

    async def _take(self, drafts: Sequence[Draft], more: bool) -> None:
        await self._intake.take(self.connection, drafts, more=more)
        # In a room where nothing waits that does not either, and the thread, which sees nothing of
        # a cancellation between two calls of this, would go on as long as there is more.
        await trio.lowlevel.checkpoint_if_cancelled()

    async def failure(self) -> OSError | None:
        return self._outbox.block_until_told()


async def _wake_on_cancel(connection: Connection, outbox: threads.ThreadOutbox) -> None:
    try:
        await trio.sleep_forever()
    finally:
        try:
            outbox.give_up()
            connection.stop_reading()
        finally:  # whatever happens: a thread that is not woken is never done
            shut(outbox.transport.sock, socket.SHUT_RDWR)
