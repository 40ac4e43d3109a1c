"""The epoll mode: clients that say something are served in a task each, all others in none."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from chatroom.server.serving.conversation import Intake, converse
from chatroom.server.serving.doorstep import attend, begun
from chatroom.server.serving.greeting import Greeter
from chatroom.server.serving.modes import ReportSlow
from chatroom.server.serving.taskless import Taskless
from chatroom.transport import epoll
from chatroom.transport.sockets import has_more
from chatroom.transport.stream import SocketTransport
from chatroom.transport.tls_handshake import Handshakes

if TYPE_CHECKING:
    from trio_typing import TaskStatus

    from chatroom.protocol.requests import Draft, Ending
    from chatroom.protocol.session import Session, Visit, Wait
    from chatroom.server.connection import Connection
    from chatroom.transport.busy_poll import Receive
    from chatroom.transport.outbox import Shared
    from chatroom.transport.tls_server import ServerTls


class EpollMode:
    """Serves each client that talks in one task of Trio's loop, which is epoll on Linux.

    Who has only come in has none, and who falls silent gives it back (`REST_SECONDS`): of ten
    thousand in a room hardly anyone talks.
    """

    def __init__(  # noqa: PLR0913 - each is a part that comes from outside
        self,
        nursery: trio.Nursery,
        intake: Intake,
        shared: Shared,
        report_slow: ReportSlow,
        *,
        receive: Receive,
        tls: ServerTls | None,
    ) -> None:
        """`nursery`: of the flushers. `receive`: how one is read that talks."""
        self.handshakes = None if tls is None else Handshakes(tls)
        self.intake = intake
        self.report_slow = report_slow
        self.receive = receive
        self._shared = shared
        self._nursery = nursery
        self.taskless = Taskless(Greeter(intake))

    def attach(self, sock: socket.socket, connection: Connection) -> None:
        sock.setblocking(False)
        line = _EpollLine(connection, self)
        line.outbox = epoll.EpollOutbox(SocketTransport(sock), self._shared, self._nursery, line)
        connection.outbox, connection.reader = line.outbox, line

    def greet(self, connection: Connection, visit: Visit) -> bool:
        """A client that may begin a TLS handshake is served."""
        if self.handshakes is not None:
            return False
        line = connection.reader
        assert isinstance(line, _EpollLine)
        return self.taskless.greet(line, begun(visit))

    async def serve(self, connection: Connection, visit: Visit | None) -> bool:
        line = connection.reader
        assert isinstance(line, _EpollLine)
        rests = False
        try:
            ending = await line.talk(visit)
            if ending is None and not line.stopped:
                # The server may have been stopped meanwhile: nobody would wake it.
                await trio.lowlevel.checkpoint_if_cancelled()
                rests = self.taskless.rest(line)
            if not rests:
                await self.intake.end(connection, ending)
                await line.outbox.wait_empty()
                await epoll.linger(line.outbox.transport)
        finally:
            self.taskless.forget(line)
            if not rests:
                line.close()
        return not rests

    async def run(  # noqa: ASYNC128 - passed on
        self,
        wake: Callable[[Connection], None],
        *,
        task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        await self.taskless.run(lambda line: wake(line.connection), task_status=task_status)


class _EpollLine:
    """See `chatroom.server.serving.doorstep.Door`, `chatroom.server.serving.taskless.Quiet`,
    `chatroom.server.connection.Reader` and `chatroom.transport.epoll.Owner`.
    """

    __slots__ = (
        "_deadline",
        "_listening",
        "_mode",
        "_scope",
        "_wait",
        "connection",
        "is_settled",
        "outbox",
        "session",
        "stopped",
        "talks",
    )

    session: Session
    outbox: epoll.EpollOutbox

    def __init__(self, connection: Connection, mode: EpollMode) -> None:
        self.connection = connection
        self.talks = False
        self.stopped = False
        self.is_settled = True
        self._mode = mode
        self._wait: Wait | None = None
        self._deadline = 0.0
        self._listening = False  # its task waits for bytes, for as long as it takes
        self._scope: trio.CancelScope | None = None  # of its task, while it talks

    async def talk(self, visit: Visit | None) -> Ending | None:
        """Talk, from the first byte if there is a `visit`, until it ends or is quiet."""
        ending = None
        with trio.CancelScope() as self._scope:
            if self.stopped:
                self._scope.cancel()
            ending = await (converse(self) if visit is None else attend(visit, self))
        self._scope = None
        return ending

    def stop_reading(self) -> None:
        self.stopped = True
        if self._scope is not None:
            self._scope.cancel()
        else:
            self._mode.taskless.awaken(self)

    def has_more(self) -> bool:
        return has_more(self.outbox.transport.sock)

    def let_rest(self) -> None:
        """Have its task end, if all that it does is to wait for bytes."""
        if self._listening and not self.outbox.size_bytes:  # else a flusher waits for the socket
            trio.lowlevel.notify_closing(self.outbox.transport.sock)

    def settle(self, *, quiet: bool) -> None:
        self._mode.taskless.settle(self, quiet=quiet)

    def reroute(self, send: Callable[[bytes], int]) -> None:
        self.connection.reroute(send)

    def report_slow(self, text: str) -> None:
        self._mode.report_slow(self.connection, text)

    def close(self) -> None:
        """Let go of the socket."""
        trio.lowlevel.notify_closing(self.outbox.transport.sock)
        self.outbox.transport.close()

    @property
    def descriptor(self) -> int:
        """Of its socket."""
        return self.outbox.transport.sock.fileno()

    @property
    def offers_tls(self) -> bool:
        return self._mode.handshakes is not None

    async def peek_within(self, wait: Wait) -> bytes | None:
        with trio.move_on_after(wait.seconds):
            return await epoll.peek(self.outbox.transport.sock)
        return None

    async def secure(self) -> str:
        assert self._mode.handshakes is not None
        self.connection.securing()
        certificate = await self._mode.handshakes.secure(self.outbox)
        self.connection.secured()
        return certificate

    def receive_nowait(self) -> bytes | None:
        return epoll.receive_nowait(self.outbox.transport)

    async def receive(self) -> bytes | None:
        if not self.talks:
            return epoll.receive_nowait(self.outbox.transport)
        self._listening = True
        try:
            return await self._mode.receive(self.outbox.transport)
        except trio.ClosedResourceError:  # by `let_rest`
            return None
        finally:
            self._listening = False

    async def receive_within(self, wait: Wait) -> bytes | None:
        if wait is not self._wait:
            self._wait = wait
            self._deadline = trio.current_time() + wait.seconds
        with trio.move_on_at(self._deadline):
            return await epoll.receive(self.outbox.transport)
        return None

    async def submit(self, drafts: Sequence[Draft], *, more: bool) -> None:
        await self._mode.intake.take(self.connection, drafts, more=more)
        await self.outbox.wait_drained()

    async def failure(self) -> OSError | None:
        return self.outbox.failure
