"""How clients come in and go: hellos, names, resuming, and when presence is announced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from chatroom.event import PRESENCE_KINDS, CloseReason, Event, Gap
from chatroom.journal import HistoryUnavailableError
from chatroom.protocol import answers
from chatroom.protocol.jsonlines import PROTOCOL_VERSION, JsonLines
from chatroom.protocol.requests import BadHello, Hello, PlainHello, Refused
from chatroom.settings import REPLAY_EVENTS, WELCOME_MEMBERS, ServerSettings

if TYPE_CHECKING:
    from chatroom.journal import Journal
    from chatroom.room import Member, Room
    from chatroom.server.connection import Connection
    from chatroom.server.dispatcher import Dispatcher
    from chatroom.server.fanout import Fanout


class Entrance:
    """Lets clients in. A part of the dispatcher: synchronous, in its turn."""

    def __init__(
        self, dispatcher: Dispatcher, room: Room, fanout: Fanout, journal: Journal
    ) -> None:
        self._dispatcher = dispatcher
        self._room = room
        self._fanout = fanout
        self._journal = journal
        self._announced = True
        self._connections: dict[Member, Connection] = {}
        #: What the welcome says of the server; set before anybody comes in.
        self.limits = answers.Limits(ServerSettings.max_text_bytes)
        self.multicast: answers.Multicast | None = None

    def plain(self, connection: Connection, hello: PlainHello) -> None:
        """A plain client enters; a nick that cannot be had leaves it a guest, and is told so."""
        wanted = hello.nick
        try:
            try:
                self._join(connection, wanted)
            except Refused as refused:
                if refused.code == "room_full":
                    raise
                self._dispatcher.tell(connection, answers.Error(refused.code, refused.text))
                self._join(connection, None)
        except Refused as refused:
            self._refuse(connection, refused)
            return
        self._fanout.enter(connection)
        self._dispatcher.tell(connection, self._welcome(connection))
        self._tell_presence(connection)

    def bad(self, connection: Connection, hello: BadHello) -> None:
        """A hello that cannot be read closes the connection: a program must know."""
        self._switch_to_json(connection)
        self._refuse(connection, Refused(hello.code, hello.text))

    def json(self, connection: Connection, hello: Hello) -> None:
        """A client enters with JSON Lines, or goes over to them if its hello came late."""
        self._switch_to_json(connection)
        connection.presence, connection.echo = hello.presence, hello.echo
        try:
            wanted, entitled = self._claim(hello)
            if connection.member is None:
                self._join(connection, wanted, entitled=entitled)
            elif wanted is not None:
                event = self._room.rename(
                    connection.member, wanted, self._dispatcher.time, entitled=entitled
                )
                self._dispatcher.publish(event)
        except Refused as refused:
            self._refuse(connection, refused)
            return
        if hello.after is None:
            self._fanout.enter(connection)
            self._dispatcher.tell(connection, self._welcome(connection))
            self._tell_presence(connection)
        else:
            self._dispatcher.remember()  # so that the journal has this turn's events too
            self._dispatcher.tell(connection, self._resume(connection, hello))
            self._replay_recent(connection)

    async def catch_up(self, connection: Connection) -> None:
        """Replay what memory does not hold, page by page from the journal, as fast as this client
        reads; then let it hear the room. Does nothing if it hears the room already.
        """
        try:
            while connection.replay_after is not None and not self._room.closing:
                page = await self._journal.after(connection.replay_after, REPLAY_EVENTS)
                if connection.close_reason is not None:
                    return
                self._replay(connection, page.events)
                # No turn can come in between: what is not in memory now is replayed, what is in
                # memory follows at once, and what comes next is live.
                self._replay_recent(connection)
                await connection.outbox.wait_drained()
        except HistoryUnavailableError as error:
            self._dispatcher.tell(connection, answers.Error("history_unavailable", str(error)))
            self._dispatcher.end(connection, CloseReason.LOST, "come back for the rest")

    def _replay_recent(self, connection: Connection) -> None:
        """If memory holds the rest of what `connection` wants: that, and then it hears the room."""
        recent = self._journal.recent
        after = connection.replay_after
        if after is not None and after + 1 >= recent.first_seq:
            self._replay(connection, recent.after(after, len(recent)))
            connection.replay_after = None
            self._fanout.enter(connection)
            self._tell_presence(connection)

    def _replay(self, connection: Connection, events: Sequence[Event | Gap]) -> None:
        lines = [
            JsonLines.event(event)
            for event in events
            if connection.presence or isinstance(event, Gap) or event.kind not in PRESENCE_KINDS
        ]
        if lines:
            connection.outbox.push(b"".join(lines))
        last = events[-1] if events else None
        if last is not None:
            connection.replay_after = last.last if isinstance(last, Gap) else last.seq

    def leave(self, connection: Connection, reason: CloseReason) -> None:
        """The member of a connection that has ended leaves the room."""
        member = self._member(connection)
        connection.member = None
        del self._connections[member]
        self._dispatcher.publish(self._room.leave(member, reason, self._dispatcher.time))
        self._follow_presence()

    def _claim(self, hello: Hello) -> tuple[str | None, bool]:
        """The name that a hello asks for, and whether its token entitles to it. With the token of
        a member that is still here it is that member's name, and its connection is closed.
        """
        old = None if hello.token is None else self._room.holder(hello.token)
        if old is None or not (hello.nick is None or self._room.holds(old, hello.nick)):
            return hello.nick, False
        nick = old.nick
        self._dispatcher.end(self._connections[old], CloseReason.REPLACED)
        return nick, True

    def _join(self, connection: Connection, wanted: str | None, *, entitled: bool = False) -> None:
        member, event = self._room.join(wanted, self._dispatcher.time, entitled=entitled)
        connection.member = member
        self._connections[member] = connection
        self._dispatcher.publish(event)
        self._follow_presence()

    def _switch_to_json(self, connection: Connection) -> None:
        self._fanout.leave(connection)
        connection.format = JsonLines

    def _refuse(self, connection: Connection, refused: Refused) -> None:
        self._dispatcher.tell(connection, answers.Error(refused.code, refused.text))
        full = refused.code == "room_full"
        reason = CloseReason.KICKED if full else CloseReason.PROTOCOL_ERROR
        self._dispatcher.end(connection, reason, f"not let in: {refused.code}")

    def _resume(self, connection: Connection, hello: Hello) -> answers.Welcome:
        """The welcome, which says whether all that was asked for is still kept."""
        assert hello.after is not None
        # A number that has not been given out yet cannot be of the present log.
        known = hello.after <= self._room.seq and (
            hello.session is None or self._journal.knows(hello.session)
        )
        after = connection.replay_after = hello.after if known else 0
        missed = self._journal.missing_after(after)
        welcome = self._welcome(connection)
        if known and not missed:
            return msgspec.structs.replace(welcome, resumed="complete", after=after)
        # How much was missed of a session that is not kept nobody can say: partial, in any case.
        return msgspec.structs.replace(welcome, resumed="partial", missed=missed, after=after)

    def _welcome(self, connection: Connection) -> answers.Welcome:
        member, room = self._member(connection), self._room
        json = connection.format is JsonLines
        return answers.Welcome(
            protocol=PROTOCOL_VERSION,
            room=room.name,
            session=self._journal.session,
            nick=member.nick,
            token=(member.token or room.give_token(member)) if json else "",
            seq=room.seq,
            members=room.latest_speakers(WELCOME_MEMBERS) if json else (),
            member_count=len(room),
            limits=self.limits,
            multicast=self.multicast,
        )

    @staticmethod
    def _member(connection: Connection) -> Member:
        assert connection.member is not None
        return connection.member

    def _follow_presence(self) -> None:
        """Tell everybody when joins and leaves stop, or begin, to be announced."""
        if self._room.announced is not self._announced:
            self._announced = self._room.announced
            self._fanout.tell_all(answers.Presence(self._announced, len(self._room)))

    def _tell_presence(self, connection: Connection) -> None:
        """Who comes in while joins are not announced is told so too."""
        if not self._announced and connection.presence:
            self._dispatcher.tell(connection, answers.Presence(False, len(self._room)))
