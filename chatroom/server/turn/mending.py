"""What is done about a fault of ours in the middle of a turn, so that the room goes on.

The fault may be that there is no memory, which may strike again at any step of this: what raises
here cannot be mended, and ends the server.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from chatroom.event import CloseReason

if TYPE_CHECKING:
    from chatroom.server.connection import Connection
    from chatroom.server.turn.hall import Hall

log = logging.getLogger("chatroom.server")


class Mending:
    """Puts the room in order after a fault. Synchronous, in a turn."""

    def __init__(self, hall: Hall) -> None:
        self._room = hall.room
        self._announcer = hall.announcer
        self._endings = hall.endings

    def mend(self, connection: Connection) -> None:
        """Dealing with `connection` has met a fault, which is being handled: it alone is ended, and
        a number that was given out without an event for everybody is a gap.
        """
        with suppress(MemoryError):  # of the log
            log.exception("connection %d: fault in the server", connection.id)
        self._announcer.make_up(self._room.seq)
        with suppress(KeyError):
            self._room.nick(connection.who)
            connection.inside = True  # the room has let it in, and nobody had been told of it yet
        fault = CloseReason.PROTOCOL_ERROR
        self._endings.end(connection, fault, "a fault in the server")
