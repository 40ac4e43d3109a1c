"""What each draft does to the room, and what its client is told. Synchronous: decided in one go."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from chatroom.event import Clock, CloseReason, Event
from chatroom.journal import HistoryUnavailableError
from chatroom.protocol import answers
from chatroom.protocol.plain import HELP, Plain
from chatroom.protocol.requests import (
    BadHello,
    Draft,
    Ending,
    Hello,
    PlainHello,
    Refusal,
    Refused,
    Request,
)
from chatroom.server.entrance import Entrance
from chatroom.settings import MAX_PAGE

if TYPE_CHECKING:
    from chatroom.journal import Journal
    from chatroom.room import Room
    from chatroom.server.broadcaster import Read
    from chatroom.server.connection import Connection
    from chatroom.server.fanout import Fanout

log = logging.getLogger("chatroom.server")

BYE_TEXTS = {
    CloseReason.QUIT: "see you",
    CloseReason.LOST: "the connection is lost",
    CloseReason.SLOW_READER: "you did not read what was sent to you",
    CloseReason.REPLACED: "you came back on another connection",
    CloseReason.SHUTDOWN: "the server is going down",
}


class Dispatcher:
    """Deals with batches of drafts: the room decides, the fan-out tells, the journal remembers."""

    def __init__(self, room: Room, fanout: Fanout, journal: Journal) -> None:
        self.room = room
        self._fanout = fanout
        self._journal = journal
        self.entrance = Entrance(self, room, fanout, journal)
        self._acks: list[tuple[Connection, str, int]] = []
        self._slow: list[tuple[Connection, str]] = []
        self._in_turn = False
        self._clock = Clock()
        self._time = self._clock.utc_now()
        self.ended: Counter[CloseReason] = Counter()
        #: Asks for a turn soon; set by the broadcaster.
        self.wake: Callable[[], None]
        self._handlers: dict[type, Callable[[Connection, Any], None]] = {
            Request: self._request,
            Refusal: self._refusal,
            Ending: self._ending,
            PlainHello: self.entrance.plain,
            Hello: self.entrance.json,
            BadHello: self.entrance.bad,
        }

    def turn(self, reads: Sequence[Read]) -> None:
        """Deal with a batch, then hand everybody what came of it. Never raises for a client's
        sake: whoever trips over a fault of ours is closed, and the room goes on.
        """
        self._time = self._clock.utc_now()
        self._in_turn = True
        for connection, drafts, _ in reads:
            if connection is not None:
                try:
                    for draft in drafts:
                        if connection.close_reason is not None:
                            break
                        self._handlers[type(draft)](connection, draft)
                except Exception:
                    log.exception("connection %d: fault in the server", connection.id)
                    self.end(connection, CloseReason.PROTOCOL_ERROR, "a fault in the server")
        self._deliver()
        self._in_turn = False

    def _deliver(self) -> None:
        while True:
            # Delivery goes first: handing over wakes the journal's thread, which takes the
            # interpreter's lock and, on a busy machine, the core.
            self._fanout.flush()
            self.remember()
            if not self._slow:
                return
            slow, self._slow = self._slow, []
            for connection, text in slow:
                self.end(connection, CloseReason.SLOW_READER, text)

    def remember(self) -> None:
        """Hand the batch so far to the journal; its acks follow when it is stored."""
        events = self._fanout.take_events()
        acks, self._acks = self._acks, []
        if events:
            self._journal.append(events, (lambda stored: self._ack(acks, stored)) if acks else None)

    def _promise_ack(self, connection: Connection, request_id: str, seq: int) -> None:
        if self._journal.durable:
            self._acks.append((connection, request_id, seq))  # when the disk has it
        else:
            self.tell(connection, answers.Ack(request_id, seq))

    def _ack(self, acks: list[tuple[Connection, str, int]], stored: bool) -> None:
        lines: dict[Connection, list[bytes]] = {}
        for connection, request_id, seq in acks:
            answer: answers.AnyAnswer = answers.Ack(request_id, seq)
            if not stored:
                text = "said, but the server could not store it"
                answer = answers.Error("not_stored", text, request_id)
            lines.setdefault(connection, []).append(connection.format.answer(answer))
        for connection, answered in lines.items():
            self._send(connection, b"".join(answered))

    def _send(self, connection: Connection, line: bytes) -> None:
        if self._in_turn:
            self._fanout.tell(connection, line)
        else:
            connection.outbox.push(line)

    def tell(self, connection: Connection, answer: answers.AnyAnswer) -> None:
        """An answer for one client, at this place in the order."""
        self._send(connection, connection.format.answer(answer))

    def publish(self, event: Event | None, author: Connection | None = None) -> None:
        """An event for everybody but its author; None (nothing is announced) does nothing."""
        if event is not None:
            self._fanout.publish(event, author)

    @property
    def time(self) -> str:
        """The time of this turn's events."""
        return self._time

    # What clients ask for

    def _request(self, connection: Connection, request: Request) -> None:
        kind = request.kind
        if kind == "message" or kind == "action":
            assert connection.member is not None  # a request comes after its hello
            event = self.room.say(connection.member, kind, request.text, self._time)
            self._fanout.publish(event, connection)
            if request.id is not None:
                self._promise_ack(connection, request.id, event.seq)
        elif kind == "rename":
            self._rename(connection, request)
        elif kind == "who":
            self.tell(connection, self._who(request))
        elif kind == "ping":
            self.tell(connection, answers.Pong(request.id))
        elif kind == "help":
            self.tell(connection, answers.Help(HELP))
        elif kind == "quit":
            self.end(connection, CloseReason.QUIT)
        # A history is answered by `answer_query`, outside the turn: it may wait for the disk.

    def _refusal(self, connection: Connection, refusal: Refusal) -> None:
        self.tell(connection, answers.Error(refusal.code, refusal.text, refusal.id))

    def _rename(self, connection: Connection, request: Request) -> None:
        member = connection.member
        assert member is not None
        try:
            event = self.room.rename(member, request.to, self._time)
        except Refused as refused:
            self.tell(connection, answers.Error(refused.code, refused.text, request.id))
            return
        self._fanout.publish(event, connection)
        if request.id is not None:
            self._promise_ack(connection, request.id, event.seq)
        if connection.format is Plain:
            self._send(connection, Plain.notice(f"you are now {event.to}"))

    def _who(self, request: Request) -> answers.Members:
        limit = MAX_PAGE if request.limit is None else min(request.limit, MAX_PAGE)
        nicks = self.room.nicks(request.offset, limit)
        more = request.offset + len(nicks) < len(self.room)
        return answers.Members(nicks, len(self.room), more, request.id)

    async def answer_query(self, connection: Connection, query: Draft) -> None:
        """What is left to answer of a query after its turn, because it may wait for the disk. A
        client that has gone meanwhile gets nothing.
        """
        if type(query) is Hello:
            await self.entrance.catch_up(connection)
        elif type(query) is Request and query.kind == "history":
            try:
                self.tell(connection, await self._history(query))
            except HistoryUnavailableError as error:
                self.tell(connection, answers.Error("history_unavailable", str(error), query.id))

    async def _history(self, request: Request) -> answers.History:
        limit = MAX_PAGE if request.limit is None else min(request.limit, MAX_PAGE)
        if request.after is not None:
            page = await self._journal.after(request.after, limit)
        else:
            before = self.room.seq + 1 if request.before is None else request.before
            page = await self._journal.before(before, limit)
        return answers.History(page.events, page.more, request.id)

    # How connections end

    def _ending(self, connection: Connection, ending: Ending) -> None:
        if self.room.closing:  # it was made to end
            self.end(connection, CloseReason.SHUTDOWN)
        else:
            self.end(connection, ending.reason, ending.text)

    def report_slow(self, connection: Connection, text: str) -> None:
        """A reader does not keep up. Called by outboxes, at any time in Trio's thread; the reader
        is closed when this turn, or the next, has been delivered to all the others.
        """
        self._slow.append((connection, text))
        if not self._in_turn:
            self.wake()

    def end(self, connection: Connection, reason: CloseReason, text: str = "") -> None:
        """`connection` leaves the room; its last line is a bye. Does nothing the second time."""
        if connection.close_reason is not None:
            return
        connection.close_reason = reason
        self.ended[reason] += 1
        self._fanout.leave(connection)
        if connection.member is not None:
            self.entrance.leave(connection, reason)
        bye = answers.Bye(reason, text or BYE_TEXTS[reason])
        abrupt = reason is CloseReason.SLOW_READER
        connection.outbox.close(connection.format.answer(bye), abrupt=abrupt)
        connection.stop_reading()
        log.info("connection %d from %s ended: %s", connection.id, connection.peer, reason)
