"""Resuming: what a client missed, from memory at once or from the journal in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NotRequired, TypedDict

from chatroom.event import CloseReason, Event, Gap, encode_event
from chatroom.journal import HistoryUnavailableError
from chatroom.protocol import answers
from chatroom.settings import PIECE_BYTES, REPLAY_EVENTS

if TYPE_CHECKING:
    from chatroom.protocol.format import Format
    from chatroom.server.connection import Connection
    from chatroom.server.hall import Hall


class Resumed(TypedDict):
    """The part of a welcome that says what a resume brings."""

    resumed: str
    after: int
    missed: NotRequired[int]


class Replay:
    """Gives back what was missed: everything above a number, and then the live events, with nothing
    missing or twice in between.
    """

    def __init__(self, hall: Hall) -> None:
        self._room = hall.room
        self._journal = hall.journal
        self._fanout = hall.fanout
        self._announcer = hall.announcer
        self._presence = hall.presence
        self._endings = hall.endings

    def begin(self, connection: Connection, after: int, session: str | None) -> Resumed:
        """What the welcome says: whether all that was asked for is still kept. In a turn."""
        # A number that has not been given out yet cannot be of the present log.
        known = after <= self._room.seq and (session is None or self._journal.knows(session))
        start = connection.replay_after = after if known else 0
        missed = self._journal.missing_after(start)
        if known and not missed:
            return {"resumed": "complete", "after": start}
        # How much was missed of a session that is not kept nobody can say: partial, in any case.
        return {"resumed": "partial", "missed": missed, "after": start}

    async def catch_up(self, connection: Connection) -> None:
        """Replay what memory does not hold, page by page from the journal, as fast as this client
        reads; then let it hear the room. Does nothing if it hears the room already. Cancelled, the
        client has a part of it.
        """
        try:
            while connection.replay_after is not None and not self._room.closing:
                page = await self._journal.after(connection.replay_after, REPLAY_EVENTS)
                if connection.close_reason is not None:
                    return
                for piece in self._pieces(connection, page.events):
                    connection.outbox.push(piece)
                    await connection.outbox.wait_drained()
                    if connection.close_reason is not None:
                        return
                # No turn can come in between: what is not in memory now is replayed, what is in
                # memory follows at once, and what comes next is live.
                self.from_memory(connection)
                await connection.outbox.wait_drained()
        except HistoryUnavailableError as error:
            self._announcer.tell(connection, answers.Error("history_unavailable", str(error)))
            self._endings.soon(connection, CloseReason.LOST, "come back for the rest")

    def from_memory(self, connection: Connection) -> None:
        """If memory holds the rest of what `connection` wants: that, and then it hears the room."""
        recent = self._journal.recent
        after = connection.replay_after
        if after is not None and after + 1 >= recent.first_seq:
            for piece in self._pieces(connection, recent.after(after, len(recent))):
                connection.outbox.push(piece)
            connection.replay_after = None
            self._fanout.enter(connection)
            self._presence.tell_newcomer(connection)

    def _pieces(self, connection: Connection, events: Sequence[Event | Gap]) -> Iterator[bytes]:
        """The events in pieces for the wire; `replay_after` follows what has been given out."""
        form = connection.format
        records: list[bytes] = []
        size_bytes = 0
        for event in events:
            record = form.event(event, encode_event(event))
            if record:
                records.append(record)
                size_bytes += len(record)
            connection.replay_after = event.last if isinstance(event, Gap) else event.seq
            if size_bytes >= PIECE_BYTES:
                yield _joined(form, records)
                records, size_bytes = [], 0
        if records:
            yield _joined(form, records)


def _joined(form: Format, records: Sequence[bytes]) -> bytes:
    return form.frame(b"".join(records))
