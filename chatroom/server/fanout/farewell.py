"""The last of a connection: it hears nothing more, and its last line says why."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from chatroom.event import CloseReason
from chatroom.protocol import answers
from chatroom.settings import FAREWELL_SECONDS

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


#: Who ends for these takes nothing any more.
_DEAF = frozenset({CloseReason.LOST, CloseReason.SLOW_READER})


class _Last:
    """What is to be said last, and when it has been."""

    __slots__ = ("code", "reason", "said", "text")

    def __init__(self, reason: CloseReason, text: str, code: str) -> None:
        self.reason = reason
        self.text = text
        self.code = code
        self.said = trio.Event()


class Farewell:
    """Says goodbye, once to each connection; `counts` has to how many, by reason.

    The goodbye waits for the acks that are owed, so that who says something and leaves in good
    order knows what has become of it.
    """

    def __init__(
        self, fanout: Fanout, others: Callable[[], Sequence[str]], grace_seconds: float
    ) -> None:
        """`others`: where those can go on whose server ends. `grace_seconds`: how long its drain
        may take.
        """
        self._fanout = fanout
        self._grace_seconds = grace_seconds
        self._others = others
        self.counts: Counter[CloseReason] = Counter()
        self._waiting: dict[Connection, _Last] = {}  # for acks

    def begin(self, connection: Connection, reason: CloseReason) -> None:
        """From this place in the order on it hears nothing."""
        connection.close_reason = reason
        self.counts[reason] += 1
        self._fanout.leave(connection)

    def say(
        self, connection: Connection, reason: CloseReason, text: str = "", code: str = ""
    ) -> None:
        """The last line, with the `code` of the error that it follows from, if it does. It is said
        now, unless acks are owed to a connection that can take them.
        """
        last = _Last(reason, text, code)
        try:
            if connection.owed and reason not in _DEAF:
                self._waiting[connection] = last
            else:
                self._close(connection, last)
            connection.stop_reading()
            log.info("connection %d from %s ended: %s", connection.id, connection.peer, reason)
        except MemoryError:
            connection.outbox.break_off()  # which is the end of it too

    def pay(self, connection: Connection, acks: int) -> None:
        """So many of the acks that were owed have been given; after the last one the goodbye is
        said, if it waits.
        """
        connection.owed -= acks
        if not connection.owed and connection in self._waiting:
            self._say_waiting(connection)

    def cut_short(self, connection: Connection) -> None:
        """It does not take what it is owed: if its goodbye waits, that is said now."""
        last = self._waiting.get(connection)
        if last is not None:
            last.reason, last.text = CloseReason.SLOW_READER, ""
            self._say_waiting(connection)

    async def wait_said(self, connection: Connection) -> None:
        """Wait until the goodbye has been said, which is after `FAREWELL_SECONDS` at the latest; of
        a drain after half of the time that it may take. Cancelled, it is said at once.
        """
        last = self._waiting.get(connection)
        if last is None:
            return
        try:
            drains = last.reason is CloseReason.SHUTDOWN
            seconds = min(FAREWELL_SECONDS, self._grace_seconds / 2) if drains else FAREWELL_SECONDS
            with trio.move_on_after(seconds):
                await last.said.wait()
        finally:
            self._say_waiting(connection)

    def _say_waiting(self, connection: Connection) -> None:
        last = self._waiting.pop(connection, None)
        if last is None:
            return
        try:
            self._close(connection, last)
        except MemoryError:
            connection.outbox.break_off()
        last.said.set()

    def _close(self, connection: Connection, last: _Last) -> None:
        others = self._others() if last.reason is CloseReason.SHUTDOWN else ()
        bye = answers.Bye(
            last.reason, last.text or BYE_TEXTS.get(last.reason, ""), last.code, others
        )
        form = connection.format
        abrupt = last.reason is CloseReason.SLOW_READER
        connection.outbox.close(form.bye(bye), form.boundary, abrupt=abrupt)
