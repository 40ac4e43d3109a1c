"""The epoll mode: clients that say something are served in a task each, all others in none."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from chatroom.protocol.opening import Opening
from chatroom.protocol.ways import WAYS
from chatroom.server.serving.conversation import Intake, converse
from chatroom.server.serving.doorstep import attend
from chatroom.server.serving.expecting import Expecting
from chatroom.server.serving.greeting import Greeter
from chatroom.server.serving.modes import ReportSlow, end_told
from chatroom.settings import REST_SECONDS
from chatroom.transport import epoll
from chatroom.transport.idle import Idle
from chatroom.transport.sockets import has_more
from chatroom.transport.stream import SocketTransport
from chatroom.transport.tls_handshake import Handshakes

if TYPE_CHECKING:
    from trio_typing import TaskStatus

    from chatroom.protocol.requests import Draft, Ending
    from chatroom.protocol.session import Session, Visit, Wait
    from chatroom.server.connection import Connection
    from chatroom.transport.outbox import Shared
    from chatroom.transport.tls_server import ServerTls


class EpollMode:
    """Serves each client that talks in one task of Trio's loop, which is epoll on Linux.

    Who has only come in has none, and who falls silent gives it back (`REST_SECONDS`): of ten
    thousand in a room hardly anyone talks.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        intake: Intake,
        shared: Shared,
        report_slow: ReportSlow,
        tls: ServerTls | None,
    ) -> None:
        """`nursery`: of the flushers."""
        self.handshakes = None if tls is None else Handshakes(tls)
        self.intake = intake
        self.report_slow = report_slow
        self._shared = shared
        self._nursery = nursery
        self._idle: Idle[_EpollLine] = Idle()
        self._expecting: Expecting[_EpollLine] = Expecting()
        self._greeter = Greeter(intake)
        #: Who is being greeted; None when there is nobody any more to serve them afterwards.
        self._greeted: set[_EpollLine] | None = None
        #: Who has a task after having been idle, and how much they had said when it was looked
        #: last whether they still talk.
        self._talking: dict[_EpollLine, int] = {}
        self._wake: Callable[[Connection], None]

    def attach(self, sock: socket.socket, connection: Connection) -> None:
        sock.setblocking(False)
        line = _EpollLine(connection, self)
        line.outbox = epoll.EpollOutbox(SocketTransport(sock), self._shared, self._nursery, line)
        connection.outbox, connection.reader = line.outbox, line

    def greet(self, connection: Connection, visit: Visit) -> bool:
        """A client that may begin a TLS handshake is served."""
        if self._greeted is None or self.handshakes is not None:
            return False
        line = connection.reader
        assert isinstance(line, _EpollLine)
        line.session = session = Opening(visit, WAYS)
        heard = self._hear(line, self._greeted)
        if heard is None and session.wait is not None:
            return self._expect(line, session.wait.seconds)
        return bool(heard)

    def _hear(self, line: _EpollLine, greeted: set[_EpollLine]) -> bool | None:
        """See `Greeter.hear`."""
        heard: bool | None = False
        greeted.add(line)
        try:
            heard = self._greeter.hear(line)
        except OSError as error:
            line.outbox.give_up(error)
        except MemoryError:  # what it has said may be gone
            line.outbox.break_off()
        if not heard:
            greeted.discard(line)
        return heard

    def _expect(self, line: _EpollLine, seconds: float) -> bool:
        """Wait for its first bytes without a task; False: that can't be had."""
        self._expecting.add(line, seconds)
        try:
            if self._rest(line):
                return True
        except BaseException:
            self._expecting.discard(line)
            raise
        self._expecting.discard(line)
        return False

    def _overdue(self, line: _EpollLine) -> None:
        """It has been silent for as long as that is waited for."""
        if self._greeted is None:
            return
        try:
            self._greeted.add(line)
            self._greeter.expire(line)
        except MemoryError:
            self._greeted.discard(line)
            line.outbox.break_off()  # it is at its end, and will be found there

    def settle(self, line: _EpollLine, *, quiet: bool) -> None:
        """`line` has been greeted: let it rest, or have it served; where there is no memory for
        either, `_let_rest` tries again.
        """
        if self._greeted is None or line not in self._greeted:
            return
        try:
            if line.stopped or line.outbox.size_bytes or not (quiet and self._rest(line)):
                self._serve_again(line)
        except MemoryError:
            line.is_settled = False
        else:
            self._greeted.discard(line)

    async def serve(self, connection: Connection, visit: Visit | None) -> bool:
        line = connection.reader
        assert isinstance(line, _EpollLine)
        rests = False
        try:
            ending = await line.talk(visit)
            if ending is None and not line.stopped:
                # The server may have been stopped meanwhile: nobody would wake it.
                await trio.lowlevel.checkpoint_if_cancelled()
                rests = self._rest(line)
            if not rests:
                await end_told(connection, ending, self.intake)
                await line.outbox.wait_empty()
                await epoll.linger(line.outbox.transport)
        finally:
            self._talking.pop(line, None)
            if not rests:
                line.close()
        return not rests

    async def run(
        self,
        wake: Callable[[Connection], None],
        *,
        task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        self._wake = wake
        self._greeted = set()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._idle.run, self._go_on)
                nursery.start_soon(self._expecting.run, self._overdue)
                nursery.start_soon(self._let_rest)
                task_status.started()
        finally:
            greeted, self._greeted = self._greeted, None
            for line in dict.fromkeys((*greeted, *self._idle.close())):
                wake(line.connection)

    def _rest(self, line: _EpollLine) -> bool:
        """Wait for `line` without a task; False: that can't be had."""
        try:
            self._idle.add(line.descriptor, line)
        except (MemoryError, OSError):
            return False
        return True

    def _serve_again(self, line: _EpollLine) -> None:
        """In a task; after a `MemoryError` nothing has changed."""
        self._wake(line.connection)
        self._idle.remove(line.descriptor)

    def _go_on(self, line: _EpollLine) -> None:
        """There is something to be read."""
        assert self._greeted is not None
        if line in self._greeted:
            self._idle.remove(line.descriptor)  # it comes back when it is settled
        elif self._expecting.discard(line):
            if not self._hear(line, self._greeted):
                self._serve_again(line)
        else:
            line.talks = True
            self._talking[line] = -1
            self._serve_again(line)

    def awaken(self, line: _EpollLine) -> None:
        """If `line` is idle, have it served."""
        if self._greeted is not None and line in self._greeted:
            return  # it is, when it is settled
        self._expecting.discard(line)
        if self._idle.remove(line.descriptor):
            self._wake(line.connection)

    async def _let_rest(self) -> None:
        """Who has said nothing between two looks gives its task back."""
        while True:
            await trio.sleep(REST_SECONDS)
            for line, heard_bytes in self._talking.items():
                received_bytes = line.connection.received_bytes
                self._talking[line] = received_bytes
                if heard_bytes == received_bytes:
                    line.let_rest()
            for line in [line for line in self._greeted or () if not line.is_settled]:
                self.settle(line, quiet=False)


class _EpollLine:
    """See `chatroom.server.serving.doorstep.Door`, `chatroom.server.connection.Reader` and
    `chatroom.transport.epoll.Owner`.
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
        self.talks = False  #: it is likely that there is more soon
        self.stopped = False  #: it is made to end
        self.is_settled = True  #: unless it has been greeted, and nothing could be done for it
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
            self._mode.awaken(self)

    def has_more(self) -> bool:
        return has_more(self.outbox.transport.sock)

    def let_rest(self) -> None:
        """Have its task end, if all that it does is to wait for bytes."""
        if self._listening and not self.outbox.size_bytes:  # else a flusher waits for the socket
            trio.lowlevel.notify_closing(self.outbox.transport.sock)

    def settle(self, *, quiet: bool) -> None:
        self._mode.settle(self, quiet=quiet)

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
            return await epoll.receive(self.outbox.transport)
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
