"""How many things of each connection are under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from chatroom.server.connection import Connection


class Tally:
    """A count for each connection that has one, and a way to wait for its end."""

    def __init__(self) -> None:
        self._counts: dict[Connection, int] = {}
        self._done: dict[Connection, trio.Event] = {}

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._counts

    def begin(self, connection: Connection) -> None:
        """One more."""
        self._counts[connection] = self._counts.get(connection, 0) + 1

    def end(self, connection: Connection) -> None:
        """One less."""
        left = self._counts.pop(connection) - 1
        if left:
            self._counts[connection] = left
        else:
            self.release(connection)

    def release(self, connection: Connection) -> None:
        """Have who waits for it look again."""
        done = self._done.pop(connection, None)
        if done is not None:
            done.set()

    async def wait_none(self, connection: Connection) -> None:
        """Wait until nothing is under way, or the connection has ended. Cancelled, nothing has
        changed.
        """
        while connection in self._counts and connection.close_reason is None:
            done = self._done.get(connection)
            if done is None:
                done = self._done[connection] = trio.Event()
            await done.wait()
