"""A conversation with one client: bytes to drafts to the room, until one side ends it.

One loop for both modes. What differs is behind `Line`: in the epoll mode its coroutines wait in
Trio's loop, in the thread mode they block their thread and never yield, so that a thread can run
the same coroutine to its end in one go (`run_blocking`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from chatroom.event import CloseReason
from chatroom.protocol.requests import Ending, Hello, is_query

if TYPE_CHECKING:
    from chatroom.protocol.requests import Draft
    from chatroom.protocol.session import Session, Wait
    from chatroom.server.connection import Connection
    from chatroom.server.fanout.farewell import Farewell
    from chatroom.server.turn.gate import Gate
    from chatroom.server.turn.queries import Queries
    from chatroom.transport.outbox import Congestion

T = TypeVar("T")

#: How a connection ends whose reading was stopped.
_MADE_TO_END = Ending(CloseReason.QUIT, "")


class Speaker(Protocol):
    """A connection and what is made of its bytes."""

    connection: Connection
    session: Session


class Line(Speaker, Protocol):
    """One client's bytes, and the way of its drafts to the room."""

    def receive_nowait(self) -> bytes | None:
        """What has come already; None if nothing has, or if that can't be told without waiting."""

    async def receive(self) -> bytes | None:
        """What comes next; empty at the end of the stream. None: nothing does for a while, and what
        does is to be waited for without a task. Raises OSError.
        """

    async def receive_within(self, wait: Wait) -> bytes | None:
        """As `receive`; None when `wait` has passed, which began when it was first given here."""

    async def submit(self, drafts: Sequence[Draft], *, more: bool) -> None:
        """Hand drafts over, and wait until as much may follow. `more`: there is more already."""

    async def failure(self) -> OSError | None:
        """What sending to the client failed with, if it has."""


async def converse(line: Line) -> Ending | None:
    """Talk with a client until it ends, and say how it did; None: it says nothing for a while, and
    this is to be called again when there is something. Cancelled, what was read has been handed
    over.
    """
    connection, session = line.connection, line.session
    try:
        # Who comes in a crowd has spoken before we look: no wait to set up (40 % more newcomers a
        # second). Once only, because nothing in it lets the others have their turn. What is pending
        # comes before all that, and before the end of the stream.
        chunk = None if session.pending else line.receive_nowait()
        while chunk != b"":
            if chunk is not None:
                connection.received_bytes += len(chunk)
                session.feed(chunk)
            while drafts := next_drafts(line):
                await line.submit(drafts, more=line.session.pending)
            session = line.session
            wait = session.wait
            if wait is None:
                chunk = await line.receive()
                if chunk is None:
                    return None
            else:
                chunk = await line.receive_within(wait)
                if chunk is None:
                    session.expire()
    except OSError as error:
        return Ending(CloseReason.LOST, str(error))
    return ending_at_eof(await line.failure())


def next_drafts(speaker: Speaker) -> Sequence[Draft]:
    """What its session, or that one's successor, gives without another byte; empty if nothing.

    A connection that has ended is answered no more: what asks until it is answered (for the next
    page, say) would never be done.
    """
    while speaker.session.pending and speaker.connection.close_reason is None:
        drafts = speaker.session.drafts()
        if drafts:
            return drafts
        if speaker.session.successor is not None:
            speaker.session = speaker.session.successor
    return ()


def ending_at_eof(failure: OSError | None) -> Ending:
    """How a client ended whose stream is at its end; `failure` is its outbox's.

    The kernel tells once that a peer is gone, to whoever asks first. If that was a send, the next
    read is an end of the stream like that of a client that closed in good order. (EPIPE says that
    it did: it is what comes of sending to it after that.)
    """
    if failure is None or isinstance(failure, BrokenPipeError):
        return Ending(CloseReason.QUIT, "")
    return Ending(CloseReason.LOST, str(failure))


class Entry(Protocol):
    """Where drafts come into the one order."""

    async def submit(
        self, connection: Connection, drafts: Sequence[Draft], *, wait: bool = False
    ) -> None:
        """See `chatroom.server.turn.broadcaster.Broadcaster`."""

    def submit_nowait(
        self, connection: Connection, drafts: Sequence[Draft], done: Callable[[], None]
    ) -> bool:
        """The same."""


class Intake:
    """The room, as a conversation sees it."""

    def __init__(
        self,
        entry: Entry,
        queries: Queries,
        gate: Gate,
        congestion: Congestion,
        farewell: Farewell,
    ) -> None:
        self._entry = entry
        self._queries = queries
        self._gate = gate
        self._congestion = congestion
        self._farewell = farewell

    async def take(
        self, connection: Connection, drafts: Sequence[Draft], *, more: bool = False
    ) -> None:
        """Have drafts dealt with and, where the last one is a query, answered. With `more` behind
        them, wait for readers that are behind: who says a line now and then never does. Cancelled:
        as `Broadcaster.submit`.
        """
        await self._entry.submit(connection, drafts, wait=more)
        last = drafts[-1]
        if is_query(last):
            if type(last) is Hello and self._gate.is_to_prove(last):
                await self._log_in(connection, last)
            await self._queries.answer(connection, last)
        if more:
            await self._congestion.wait_eased()

    def take_nowait(
        self, connection: Connection, drafts: Sequence[Draft], done: Callable[[], None]
    ) -> bool:
        """As `take`, of drafts that the turn alone answers, and without waiting: `done` is called
        between two turns when they have been dealt with. False: they would have to wait.
        """
        return self._entry.submit_nowait(connection, drafts, done)

    def answer_nowait(self, connection: Connection, query: Draft) -> bool:
        """See `Queries.answer_nowait`."""
        return self._queries.answer_nowait(connection, query)

    async def end(self, connection: Connection, ending: Ending | None) -> None:
        """The client has ended, as `ending` says, or has been made to: the room hears of it, if it
        does not know; then wait until its last line has been said. Cancelled, it may not be.
        """
        if connection.close_reason is None:
            await self.take(connection, [ending or _MADE_TO_END])
        await self._farewell.wait_said(connection)

    def let_go(self, connection: Connection) -> None:
        """It is made to end: nothing that it has said is to wait any longer."""

    async def _log_in(self, connection: Connection, hello: Hello) -> None:
        if self._gate.refusal(connection, hello) is None:
            proven = await self._gate.prove(connection, hello)
            await self._entry.submit(connection, [proven], wait=True)


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that blocks its thread and never yields."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError("a coroutine has yielded in a thread, where there is no loop to wait in")
