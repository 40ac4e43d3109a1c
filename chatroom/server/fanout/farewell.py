"""The last of a connection: it hears nothing more, and its last line says why."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chatroom.event import CloseReason
from chatroom.protocol import answers

if TYPE_CHECKING:
    from chatroom.server.connection import Connection
    from chatroom.server.fanout.fanout import Fanout

log = logging.getLogger("chatroom.server")

BYE_TEXTS = {
    CloseReason.QUIT: "see you",
    CloseReason.LOST: "the connection is lost",
    CloseReason.SLOW_READER: "you did not read what was sent to you",
    CloseReason.REPLACED: "you came back on another connection",
    CloseReason.SHUTDOWN: "the server is going down",
}


class Farewell:
    """Says goodbye, once to each connection; `counts` has to how many, by reason."""

    def __init__(self, fanout: Fanout, others: Callable[[], Sequence[str]]) -> None:
        """`others`: where those can go on whose server ends."""
        self._fanout = fanout
        self._others = others
        self.counts: Counter[CloseReason] = Counter()

    def begin(self, connection: Connection, reason: CloseReason) -> None:
        """From this place in the order on it hears nothing."""
        connection.close_reason = reason
        self.counts[reason] += 1
        self._fanout.leave(connection)

    def say(
        self, connection: Connection, reason: CloseReason, text: str = "", code: str = ""
    ) -> None:
        """The last line, with the `code` of the error that it follows from, if it does."""
        try:
            self._close(connection, reason, text, code)
            connection.stop_reading()
            log.info("connection %d from %s ended: %s", connection.id, connection.peer, reason)
        except MemoryError:
            connection.outbox.break_off()  # which is the end of it too

    def _close(self, connection: Connection, reason: CloseReason, text: str, code: str) -> None:
        others = self._others() if reason is CloseReason.SHUTDOWN else ()
        bye = answers.Bye(reason, text or BYE_TEXTS.get(reason, ""), code, others)
        form = connection.format
        abrupt = reason is CloseReason.SLOW_READER
        connection.outbox.close(form.bye(bye), form.boundary, abrupt=abrupt)
