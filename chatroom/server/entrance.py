"""How clients come in and go: hellos, names, resuming, and when presence is announced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from chatroom.event import PRESENCE_KINDS, CloseReason, Event
from chatroom.protocol import answers
from chatroom.protocol.jsonlines import PROTOCOL_VERSION, JsonLines
from chatroom.protocol.requests import BadHello, Hello, PlainHello, Refused
from chatroom.settings import WELCOME_MEMBERS, ServerSettings

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
            if connection.member is None:
                self._come_back(connection, hello)
            elif hello.nick is not None:
                event = self._room.rename(connection.member, hello.nick, self._dispatcher.time)
                self._dispatcher.publish(event)
        except Refused as refused:
            self._refuse(connection, refused)
            return
        self._fanout.enter(connection)
        welcome, replay = self._resume(connection, hello)
        self._dispatcher.tell(connection, welcome)
        for event in replay:
            if connection.presence or event.kind not in PRESENCE_KINDS:
                self._fanout.tell(connection, JsonLines.event(event))
        self._tell_presence(connection)

    def leave(self, connection: Connection, reason: CloseReason) -> None:
        """The member of a connection that has ended leaves the room."""
        member = self._member(connection)
        connection.member = None
        del self._connections[member]
        self._dispatcher.publish(self._room.leave(member, reason, self._dispatcher.time))
        self._follow_presence()

    def _come_back(self, connection: Connection, hello: Hello) -> None:
        """Join; with the token of a member that is still here, in its place and under its name."""
        old = None if hello.token is None else self._room.holder(hello.token)
        if old is None or not (hello.nick is None or self._room.holds(old, hello.nick)):
            self._join(connection, hello.nick)
            return
        nick = old.nick
        self._dispatcher.end(self._connections[old], CloseReason.REPLACED)
        self._join(connection, nick, entitled=True)

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

    def _resume(
        self, connection: Connection, hello: Hello
    ) -> tuple[answers.Welcome, Sequence[Event]]:
        """The welcome, and the events that were asked for and are still kept."""
        welcome = self._welcome(connection)
        if hello.after is None:
            return welcome, ()
        self._dispatcher.remember()  # so that `recent` has this turn's events too
        recent = self._journal.recent
        known = hello.session in (None, self._journal.session)
        after = hello.after if known else 0
        missed = max(0, recent.first_seq - 1 - after)
        # How much was missed of a session that is not kept nobody can say: partial, in any case.
        resumed = "complete" if known and not missed else "partial"
        replay = recent.after(after, len(recent)).events
        if resumed == "complete":
            return msgspec.structs.replace(welcome, resumed=resumed), replay
        return msgspec.structs.replace(welcome, resumed=resumed, missed=missed), replay

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
