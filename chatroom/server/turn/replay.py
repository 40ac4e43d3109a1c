"""Resuming: what a client missed, from memory at once or from the journal in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NotRequired, TypedDict

from chatroom.event import CloseReason, Event, Gap, encode_event
from chatroom.journal import HistoryUnavailableError
from chatroom.protocol import answers
from chatroom.settings import FIRST_REPLAY_EVENTS, MAX_REPLAY_EVENTS, PIECE_BYTES

if TYPE_CHECKING:
    from chatroom.protocol.format import Format
    from chatroom.server.connection import Connection
    from chatroom.server.turn.answering import Answering
    from chatroom.server.turn.hall import Hall


class Resumed(TypedDict):
    """The part of a welcome that says what a resume brings."""

    resumed: str
    after: int
    missed: NotRequired[int]


class Replay:
    """Gives back what was missed: everything above a number, and then the live events, with nothing
    missing or twice in between.
    """

    def __init__(self, hall: Hall, answering: Answering) -> None:
        self._answering = answering
        self._room = hall.room
        self._order = hall.order
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
        """Replay what memory does not hold, a piece at a time and as fast as this client reads;
        then let it hear the room. Does nothing if it hears the room already. Cancelled, the client
        has a part of it.
        """
        wanted = FIRST_REPLAY_EVENTS
        try:
            while connection.replay_after is not None and not self._order.closing:
                async with self._answering.at_once:
                    page = await self._journal.after(connection.replay_after, wanted)
                if connection.close_reason is not None:
                    return
                size_bytes = self._give(connection, page.events)
                wanted = self._next_piece(len(page.events), size_bytes)
                # No turn can come in between: what is not in memory now is replayed, what is in
                # memory follows at once, and what comes next is live.
                self.finish(connection)
                await connection.outbox.wait_drained()
        except HistoryUnavailableError as error:
            self._announcer.tell(connection, answers.Error("history_unavailable", str(error)))
            self._endings.soon(connection, CloseReason.LOST, "come back for the rest")

    def finish(self, connection: Connection) -> None:
        """If what `connection` still wants is little, and in memory: that, and then it hears the
        room. Else it is for `catch_up`.
        """
        recent, after = self._journal.recent, connection.replay_after
        if after is None or after + 1 < recent.first_seq:
            return
        if recent.last_seq - after > MAX_REPLAY_EVENTS:
            return
        rest = recent.after(after, MAX_REPLAY_EVENTS)
        records = _records(connection.format, rest)
        if len(records) <= self._answering.limit_bytes:
            if records:
                connection.outbox.push(connection.format.frame(records))
            connection.replay_after = None
            self._fanout.enter(connection)
            self._presence.tell_newcomer(connection)

    def _give(self, connection: Connection, events: Sequence[Event | Gap]) -> int:
        """Push the events; `replay_after` follows. Returns how many bytes they are."""
        records = _records(connection.format, events)
        if records:
            connection.outbox.push(connection.format.frame(records))
        if events:
            last = events[-1]
            connection.replay_after = last.last if isinstance(last, Gap) else last.seq
        return len(records)

    def _next_piece(self, events: int, size_bytes: int) -> int:
        """How many events make a piece, if they are as long as the last ones were."""
        if not size_bytes:
            return MAX_REPLAY_EVENTS
        fitting = events * min(PIECE_BYTES, self._answering.limit_bytes) // size_bytes
        return max(FIRST_REPLAY_EVENTS, min(fitting, MAX_REPLAY_EVENTS))


def _records(form: Format, events: Sequence[Event | Gap]) -> bytes:
    return b"".join(form.event(event, encode_event(event)) for event in events)
