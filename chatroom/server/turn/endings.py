"""How connections end: once each, in a turn, with a last line that says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chatroom.event import CloseReason
from chatroom.room.commands import Leave
from chatroom.server.doubt import InDoubtError

if TYPE_CHECKING:
    from chatroom.server.connection import Connection
    from chatroom.server.fanout.announcer import Announcer
    from chatroom.server.fanout.farewell import Farewell
    from chatroom.server.turn.ordering import Order


class Endings:
    """Ends connections."""

    def __init__(
        self, order: Order, announcer: Announcer, farewell: Farewell, wake: Callable[[], None]
    ) -> None:
        """`wake` asks for a turn soon, where none is being taken."""
        self._order = order
        self._announcer = announcer
        self._farewell = farewell
        self._wake = wake
        self._due: list[tuple[Connection, CloseReason, str]] = []
        self.counts = farewell.counts  #: how many have ended, by reason

    def soon(self, connection: Connection, reason: CloseReason, text: str) -> None:
        """End `connection` when this turn, or the next, has been delivered to all the others. May
        be called at any time in Trio's thread.
        """
        self._due.append((connection, reason, text))
        if not self._announcer.in_turn:
            self._wake()

    def end_due(self) -> bool:
        """End those that `soon` named; whether there were any."""
        due, self._due = self._due, []
        for connection, reason, text in due:
            self.end(connection, reason, text)
        return bool(due)

    def end(
        self,
        connection: Connection,
        reason: CloseReason,
        text: str = "",
        *,
        code: str = "",
        said: str = "",
    ) -> None:
        """`connection` leaves the room; its last line is a bye, with the `code` of the error that
        it follows from, if it does, and waits for the acks that are due. `said`: what it says of it
        to the others. The second time it does nothing, unless it is that the connection does not
        read those acks. In a turn only. Raises `InDoubtError` where there is no memory for it to
        leave.
        """
        if connection.close_reason is not None:
            if reason is CloseReason.SLOW_READER:
                self._farewell.cut_short(connection)
            return
        try:
            self._farewell.begin(connection, reason)
            if connection.inside or self._order.is_pending(connection):
                leave = Leave(connection.who, self._announcer.time, reason, said)
                self._order.propose(connection, leave)
        except MemoryError as error:
            raise InDoubtError from error  # it is half gone, and nobody can say which half
        self._farewell.say(connection, reason, text, code)
