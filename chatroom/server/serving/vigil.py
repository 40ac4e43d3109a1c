"""Whether those who say nothing are there still: they are asked, and closed if nothing comes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from chatroom.event import CloseReason

if TYPE_CHECKING:
    from collections.abc import Collection

    from chatroom.server.connection import Connection
    from chatroom.server.turn.endings import Endings

#: Looks in the time after which a silent client is closed, which is late by one of them at most.
_LOOKS = 8


class _Silence:
    """Since when nothing has come."""

    __slots__ = ("asked", "received_bytes", "since")

    def __init__(self, received_bytes: int, since: float) -> None:
        self.received_bytes = received_bytes
        self.since = since
        self.asked = False


class Vigil:
    """Asks those whose format has a question for it: a proxy in between, or a kernel whose program
    is stuck, acknowledges for who is not there. It looks at all of them now and then (0.3
    microseconds each), so that hearing somebody costs nothing.
    """

    def __init__(
        self, connections: Collection[Connection], endings: Endings, idle_seconds: float
    ) -> None:
        self._connections = connections
        self._endings = endings
        self._idle_seconds = idle_seconds
        self._silences: dict[Connection, _Silence] = {}

    async def run(self) -> None:
        """Ask after half of `idle_seconds` of silence, close with `idle` after all of it; 0: ask
        nobody. Runs until cancelled.
        """
        while self._idle_seconds:
            await trio.sleep(self._idle_seconds / _LOOKS)
            with suppress(MemoryError):  # the next look is as good
                self._look(trio.current_time())

    def _look(self, now: float) -> None:
        silences = {}
        for connection in self._connections:
            if connection.inside and connection.format.ping:
                silence = self._silences.get(connection)
                if silence is None or silence.received_bytes != connection.received_bytes:
                    silence = _Silence(connection.received_bytes, now)
                silences[connection] = silence
                self._judge(connection, silence, now - silence.since)
        self._silences = silences

    def _judge(self, connection: Connection, silence: _Silence, silent_seconds: float) -> None:
        if silent_seconds >= self._idle_seconds:
            text = f"{self._idle_seconds:g} seconds of silence, and no answer to a ping"
            self._endings.soon(connection, CloseReason.IDLE, text)
        elif silent_seconds >= self._idle_seconds / 2 and not silence.asked:
            silence.asked = True
            connection.outbox.push(connection.format.ping)
