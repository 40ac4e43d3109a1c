"""Telling: events to everybody, answers to one, both to whom they are promised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatroom.event import Clock, Gap
from chatroom.protocol import answers

if TYPE_CHECKING:
    from chatroom.event import Event
    from chatroom.journal import Journal
    from chatroom.protocol.answers import AnyAnswer
    from chatroom.server.connection import Connection
    from chatroom.server.fanout.fanout import Fanout
    from chatroom.server.fanout.farewell import Farewell

#: Whom an ack is promised, and the ack.
Promise = tuple["Connection", answers.Ack]


class Announcer:
    """What a turn says, in the order in which it is said. Synchronous: nothing here waits.

    Between turns it can tell single connections only; what they are told leaves at once.
    """

    def __init__(self, fanout: Fanout, journal: Journal, farewell: Farewell) -> None:
        self._fanout = fanout
        self._farewell = farewell
        self._journal = journal
        self._clock = Clock()
        self._acks: list[Promise] = []
        self.time = self._clock.utc_now()  #: of this turn's events
        self.in_turn = False

    def begin(self) -> None:
        """A turn begins."""
        self.in_turn = True
        try:  # noqa: SIM105 - which would be an object more for each turn
            self.time = self._clock.utc_now()
        except MemoryError:
            pass  # that of the last turn will do

    def publish(self, event: Event | None, author: Connection | None = None) -> None:
        """An event for everybody but its author; None (nothing is announced) does nothing."""
        if event is not None:
            self._fanout.publish(event, author)

    def tell(self, connection: Connection, answer: AnyAnswer) -> None:
        """An answer for one connection, at this place in the order if it hears the room."""
        self.send(connection, connection.render(answer))

    def tell_all(self, answer: AnyAnswer) -> None:
        """Something without a number, for all who hear the room."""
        self._fanout.tell_all(answer)

    def send(self, connection: Connection, record: bytes) -> None:
        """As `tell`, rendered already; an empty record is none."""
        if not record:
            return
        if self.in_turn and connection.audience is not None:
            connection.audience.insert(connection, record)
        else:
            connection.outbox.push(connection.format.frame(record))

    def promise_ack(self, connection: Connection, ack: answers.Ack) -> None:
        """An ack, as soon as it is true: when the disk has the event, if there is one to wait for;
        else now. The connection's last line waits for it.
        """
        if self._journal.durable:
            connection.owed += 1
            self._acks.append((connection, ack))
        else:
            self.tell(connection, ack)

    def remember(self) -> None:
        """Hand the batch so far to the journal; its acks follow when it is stored. Where there is
        no memory for that all stays as it was, for another try.
        """
        events, blocks = self._fanout.take_events()
        acks = self._acks
        try:
            self._acks = []
            if events:
                stored = (lambda stored: self._ack(acks, stored)) if acks else None
                self._journal.append(events, blocks, stored)
        except MemoryError:
            self._fanout.put_back(events, blocks)
            self._acks = acks
            raise

    def make_up(self, seq: int) -> None:
        """Numbers up to `seq` were given out; those of which nobody was told are a gap."""
        self.remember()
        if seq > self._journal.recent.last_seq:
            self.skip_to(seq, self._journal.session)

    def redact(self, seq: int) -> None:
        """What the event said is not given out any more: by history, search, and the feed's
        answers. The event may be of this turn.
        """
        self.remember()
        self._journal.redact(seq)
        self._fanout.redact(seq)

    def skip_to(self, seq: int, session: str) -> None:
        """The next event is the one after `seq`, and of `session`: everybody is told of the gap
        between the last one and that, if there is one.
        """
        self.remember()
        last = self._journal.recent.last_seq
        if session != self._journal.session:
            self._fanout.begin_feed_session(session, seq + 1)
        self._journal.skip_to(seq, session)
        if seq > last:
            self._fanout.skip(Gap(last + 1, seq))

    def revoke_feed_keys(self) -> None:
        """See `Fanout.revoke_feed_keys`."""
        self._fanout.revoke_feed_keys()

    def flush(self) -> None:
        """Hand everybody what has been said so far."""
        self._fanout.flush()

    def end(self) -> None:
        """The turn is over."""
        self.in_turn = False

    def _ack(self, acks: list[Promise], stored: bool) -> None:
        try:
            self._answer(acks, stored)
        except MemoryError:
            # Some have been told, and nobody can say who: they ask again when they are back.
            for connection, _ in acks:
                connection.outbox.break_off()

    def _answer(self, acks: list[Promise], stored: bool) -> None:
        records: dict[Connection, list[bytes]] = {}
        for connection, ack in acks:
            answer: AnyAnswer = ack
            if not stored:
                text = "said, but the server could not store it"
                answer = answers.Error("not_stored", text, ack.id)
            records.setdefault(connection, []).append(connection.render(answer))
        for connection, answered in records.items():
            self.send(connection, b"".join(answered))
            self._farewell.pay(connection, len(answered))
