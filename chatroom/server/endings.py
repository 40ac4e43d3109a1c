"""How connections end: once each, in a turn, with a last line that says why."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chatroom.event import CloseReason
from chatroom.protocol import answers
from chatroom.room.commands import Leave

if TYPE_CHECKING:
    from chatroom.room.commands import Removed
    from chatroom.room.room import Room
    from chatroom.server.announcer import Announcer
    from chatroom.server.connection import Connection
    from chatroom.server.fanout import Fanout
    from chatroom.server.presence import Presence

log = logging.getLogger("chatroom.server")

BYE_TEXTS = {
    CloseReason.QUIT: "see you",
    CloseReason.LOST: "the connection is lost",
    CloseReason.SLOW_READER: "you did not read what was sent to you",
    CloseReason.REPLACED: "you came back on another connection",
    CloseReason.SHUTDOWN: "the server is going down",
}


class Endings:
    """Ends connections; `counts` has how many have ended, by reason."""

    def __init__(
        self,
        room: Room,
        fanout: Fanout,
        announcer: Announcer,
        presence: Presence,
        wake: Callable[[], None],
    ) -> None:
        """`wake` asks for a turn soon, where none is being taken."""
        self._room = room
        self._fanout = fanout
        self._announcer = announcer
        self._presence = presence
        self._wake = wake
        self._due: list[tuple[Connection, CloseReason, str]] = []
        self.counts: Counter[CloseReason] = Counter()

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
        it follows from, if it does. `said`: what it says of it to the others. Does nothing the
        second time. In a turn only.
        """
        if connection.close_reason is not None:
            return
        self._part(connection, reason, text)
        if connection.inside:
            leave = Leave(connection.id, self._announcer.time, reason, said)
            self._announcer.publish(self._room.apply(leave).event)
            self._presence.leave(connection)
            self._presence.follow()
        self._close(
            connection, reason, answers.Bye(reason, text or BYE_TEXTS.get(reason, ""), code)
        )

    def remove(self, removed: Sequence[Removed]) -> None:
        """As `end`, for those whom the room has taken out already."""
        for gone in removed:
            connection = self._presence.connection(gone.who)
            self._part(connection, gone.reason, gone.text)
            self._announcer.publish(gone.event)
            self._presence.leave(connection)
            text = gone.text or BYE_TEXTS.get(gone.reason, "")
            self._close(connection, gone.reason, answers.Bye(gone.reason, text))
        if removed:
            self._presence.follow()

    def _part(self, connection: Connection, reason: CloseReason, text: str) -> None:
        connection.close_reason = reason
        self.counts[reason] += 1
        self._fanout.leave(connection)

    def _close(self, connection: Connection, reason: CloseReason, bye: answers.Bye) -> None:
        form = connection.format
        abrupt = reason is CloseReason.SLOW_READER
        connection.outbox.close(form.bye(bye), form.boundary, abrupt=abrupt)
        connection.stop_reading()
        log.info("connection %d from %s ended: %s", connection.id, connection.peer, reason)
