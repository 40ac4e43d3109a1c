"""Pages of history from the disk, read in worker threads beside Trio's."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import trio

from chatroom.event import Event
from chatroom.journal import HistoryUnavailableError
from chatroom.journal.holding import Opening
from chatroom.journal.limits import READERS, SEARCHERS
from chatroom.journal.opening import connect_to, file_id
from chatroom.journal.search import search_disk

# One row for a page: SQLite joins the events without the interpreter's lock. Row by row, a reader
# would ask for the lock, and the event loop might wait for it, once for each event.
_AFTER = """
    SELECT group_concat(event) FROM (SELECT event FROM event WHERE seq > ? ORDER BY seq LIMIT ?)
"""
_BEFORE = """
    SELECT group_concat(event)
    FROM (SELECT event FROM event WHERE seq < ? ORDER BY seq DESC LIMIT ?)
"""
_IS_OURS = "SELECT count(*) FROM session WHERE name = ?"

_decode_events = msgspec.json.Decoder(list[Event]).decode


class Reader:
    """Reads what has been committed when a call begins. Any number of tasks may call at a time;
    READERS of them are served at once.

    Args:
        path: where the file is.
        file: which one the writer has; another that was put in its place is not read.
        session: one that the file must have.
    """

    def __init__(self, path: Path, file: Callable[[], Opening], session: str) -> None:
        self._path = path
        self._file = file
        self._session = session
        self._limiter = trio.CapacityLimiter(READERS)
        self._search_limiter = trio.CapacityLimiter(SEARCHERS)
        #: Connections that nobody uses now, and to which file.
        self._idle: list[tuple[sqlite3.Connection, Opening]] = []
        self._closed = False

    async def after(self, seq: int, limit: int) -> Sequence[Event]:
        """The first `limit` events above `seq` that are on the disk.

        Raises `HistoryUnavailableError`. If it is cancelled the thread ends its reading by itself.
        """
        return await self._read(self._limiter, lambda reading: _page(reading, _AFTER, seq, limit))

    async def before(self, seq: int, limit: int) -> Sequence[Event]:
        """The last `limit` events below `seq` that are on the disk; otherwise as `after`."""
        return await self._read(self._limiter, lambda reading: _page(reading, _BEFORE, seq, limit))

    async def search(
        self, found: str, before: int, limit: int, memory: Sequence[Event]
    ) -> Sequence[Event]:
        """See `search_disk`; waits for other searches, otherwise as `after`."""
        return await self._read(
            self._search_limiter,
            lambda reading: search_disk(reading, found, before, limit, memory),
        )

    def close(self) -> None:
        """Close the connections; one in use is closed when its reading ends."""
        self._closed = True
        while self._idle:
            self._idle.pop()[0].close()

    async def _read(
        self, limiter: trio.CapacityLimiter, read: Callable[[sqlite3.Connection], Sequence[Event]]
    ) -> Sequence[Event]:
        return await trio.to_thread.run_sync(
            self._read_blocking,
            read,
            limiter=limiter,
            abandon_on_cancel=True,  # a stuck disk must not hold up a client that has gone
        )

    def _read_blocking(
        self, read: Callable[[sqlite3.Connection], Sequence[Event]]
    ) -> Sequence[Event]:
        try:
            connection, file = self._connection()
            try:
                events = read(connection)
                self._check(connection, file)
            except BaseException:
                connection.close()
                raise
        except (sqlite3.Error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error  # without the path
            raise HistoryUnavailableError(f"cannot read the history: {reason}") from error
        self._idle.append((connection, file))
        if self._closed:
            self.close()
        return events

    def _connection(self) -> tuple[sqlite3.Connection, Opening]:
        file = self._file()
        while True:
            try:
                connection, was = self._idle.pop()
            except IndexError:
                return self._open(file), file
            if was == file:
                return connection, file
            connection.close()  # the file was deleted and begun anew

    def _open(self, file: Opening) -> sqlite3.Connection:
        connection = connect_to(file[0], self._path)
        if connection is None:
            raise _gone()
        return connection

    def _check(self, connection: sqlite3.Connection, file: Opening) -> None:
        """Whether what was read is what the writer writes, and not what somebody has put there."""
        (ours,) = connection.execute(_IS_OURS, (self._session,)).fetchone()
        if not ours or file_id(self._path) != file[0] or self._file() != file:
            raise _gone()


def _gone() -> HistoryUnavailableError:
    return HistoryUnavailableError("the file of the history was deleted or replaced")


def _page(connection: sqlite3.Connection, query: str, seq: int, limit: int) -> Sequence[Event]:
    (events,) = connection.execute(query, (seq, limit)).fetchone()
    page = _decode_events(f"[{events or ''}]")
    page.sort(key=_seq)  # SQLite does not promise the order in which it joins
    return page


def _seq(event: Event) -> int:
    return event.seq
