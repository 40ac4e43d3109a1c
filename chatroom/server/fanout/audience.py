"""Those who get the same bytes: what they are told is rendered once, joined once, framed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from chatroom.server.doubt import InDoubtError
from chatroom.server.fanout.senders import NO_SENDERS

if TYPE_CHECKING:
    from chatroom.protocol.format import Format
    from chatroom.server.connection import Connection
    from chatroom.server.counters import Counters
    from chatroom.server.fanout.senders import Senders, Unsent

Send = Callable[[bytes], int]

#: Bytes from `start` to `end` of the batch are replaced.
Edit = tuple[int, int, bytes]


class Audience:
    """The connections of one format, and the batch for them."""

    __slots__ = (
        "_counters",
        "_cuts",
        "_senders",
        "connections",
        "edits",
        "format",
        "length",
        "parts",
        "sends",
    )

    def __init__(self, format_: Format, counters: Counters, senders: Senders = NO_SENDERS) -> None:
        self.format = format_
        self._senders = senders
        self._counters = counters
        self._cuts = 0  # records of the batch that were cut out for their authors
        self.connections: list[Connection] = []
        #: Each connection's way out, at the same place (`Connection.slot`) of a list of its own:
        #: the transport's `send`, or its outbox's while that holds something back.
        self.sends: list[Send] = []
        self.parts: list[bytes] = []
        self.length = 0  #: bytes in `parts`
        self.edits: dict[Connection, list[Edit]] = {}

    def add(self, record: bytes, besides: Connection | None) -> None:
        """A record for all but one."""
        start = self.length
        end = start + len(record)
        self.parts.append(record)
        self.length = end
        if besides is not None and besides.audience is self:
            self._cut(besides, start, end)

    def _cut(self, author: Connection, start: int, end: int) -> None:
        self._cuts += 1
        edits = self.edits.get(author)
        if edits is None:
            self.edits[author] = [(start, end, b"")]
        elif edits[-1][1] == start and not edits[-1][2]:
            edits[-1] = (edits[-1][0], end, b"")  # a talker's run of lines is one cut
        else:
            edits.append((start, end, b""))

    def insert(self, connection: Connection, record: bytes) -> None:
        """A record for one member, at this place in the order."""
        self.edits.setdefault(connection, []).append((self.length, self.length, record))

    def enter(self, connection: Connection) -> None:
        """From here on; what the batch has so far is not for the newcomer."""
        connection.audience = self
        connection.slot = len(self.connections)
        self.connections.append(connection)
        self.sends.append(connection.outbox.send)
        if self.length:
            self.edits[connection] = [(0, self.length, b"")]

    def leave(self, connection: Connection) -> None:
        """Up to here; what the batch has so far is pushed."""
        connection.audience = None
        last, send = self.connections.pop(), self.sends.pop()
        if last is not connection:
            last.slot = connection.slot
            self.connections[last.slot], self.sends[last.slot] = last, send
        edits = self.edits.pop(connection, None)
        try:
            batch = b"".join(self.parts)
            self._push(connection, batch if edits is None else splice(batch, edits))
        except MemoryError:
            connection.outbox.break_off()

    def flush(self) -> None:
        """Hand the batch to everybody, and begin a new one."""
        edits = self.edits
        if not self.parts and not edits:
            return
        batch = b"".join(self.parts)
        nothing = [(0, self.length, b"")]  # what a lone talker gets of it
        sends = self.sends
        self._counters.deliveries += len(self.parts) * len(sends) - self._cuts
        self.parts, self.length, self.edits, self._cuts = [], 0, {}, 0
        if batch:
            if edits:
                sends = sends.copy()
                for connection in edits:
                    sends[connection.slot] = len  # takes all of it, sends nothing
            framed = self.format.frame(batch)
            self._counters.audience_bytes += len(framed) * (len(sends) - len(edits))
            if len(sends) < self._senders.least:
                self._send_all(enumerate(sends), framed)
            else:
                self._settle(sends, framed, self._senders.send(sends, framed))
        for connection, mine in edits.items():
            if mine != nothing:
                try:
                    self._push(connection, splice(batch, mine))
                except MemoryError:
                    connection.outbox.break_off()

    def break_off(self) -> None:
        """Some of them lack something, and nobody can say who: all are closed, and come back for
        it. What the batch has is not for them any more. Raises `InDoubtError` where there is no
        memory even for that.
        """
        try:
            for connection in self.connections:
                connection.outbox.break_off()
            self.parts, self.length, self.edits, self._cuts = [], 0, {}, 0
        except MemoryError as error:
            raise InDoubtError from error

    def _push(self, connection: Connection, records: bytes) -> None:
        if records:
            connection.outbox.push(self.format.frame(records))

    def _settle(self, sends: Sequence[Send], framed: bytes, unsent: Sequence[Unsent]) -> None:
        for slot, came in unsent:
            if came is None:
                self._send_all([(slot, sends[slot])], framed)
            else:
                self._came_short(slot, framed, came)

    def _send_all(self, ways: Iterable[tuple[int, Send]], framed: bytes) -> None:
        # The innermost loop of the room, and nearly all of its time: a bare list of bound `send`s,
        # because every further object that is touched for a member (its outbox, a method, a dict's
        # entry) is a cache miss with a thousand of them. 6 % less for each send than going through
        # the outboxes' `push`.
        size_bytes = len(framed)
        for slot, send in ways:
            try:
                sent_bytes = send(framed)
            except BlockingIOError:
                sent_bytes = 0
            except OSError as error:
                self._came_short(slot, framed, error)
                continue
            except MemoryError:  # of OpenSSL
                self.connections[slot].outbox.break_off()
                continue
            if sent_bytes != size_bytes:
                self._came_short(slot, framed, sent_bytes)

    def _came_short(self, slot: int, framed: bytes, came: int | OSError) -> None:
        """A send took so many bytes, not all, or failed."""
        outbox = self.connections[slot].outbox
        if isinstance(came, OSError):
            outbox.give_up(came)
        else:
            outbox.keep(framed, came)


def splice(batch: bytes, edits: Sequence[Edit]) -> bytes:
    """`batch` with the edits made; they are in order and do not overlap."""
    view = memoryview(batch)
    pieces: list[bytes | memoryview] = []
    position = 0
    for start, end, record in edits:
        pieces += (view[position:start], record)
        position = end
    pieces.append(view[position:])
    return b"".join(pieces)
