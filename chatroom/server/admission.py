"""How clients come in: hellos, names, the welcome."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec

from chatroom.event import CloseReason
from chatroom.protocol import answers
from chatroom.room.commands import Join, Outcome, Rename
from chatroom.room.refused import Refused
from chatroom.settings import WELCOME_MEMBERS

if TYPE_CHECKING:
    from chatroom.protocol.requests import BadHello, Hello, Speaks
    from chatroom.server.connection import Connection
    from chatroom.server.hall import Hall
    from chatroom.server.offer import Offer
    from chatroom.server.replay import Replay

PROTOCOL_VERSION = 1


class Admission:
    """Lets clients in. Synchronous, in a turn."""

    def __init__(self, hall: Hall, replay: Replay, offer: Offer) -> None:
        self._room = hall.room
        self._journal = hall.journal
        self._fanout = hall.fanout
        self._announcer = hall.announcer
        self._presence = hall.presence
        self._endings = hall.endings
        self._replay = replay
        self._offer = offer

    def speak(self, connection: Connection, speaks: Speaks) -> None:
        """From here on `connection` is spoken to in another format; its hello says how it goes on
        hearing the room.
        """
        self._fanout.leave(connection)
        connection.format, connection.own = speaks.format, speaks.own

    def refuse_hello(self, connection: Connection, hello: BadHello) -> None:
        """A hello that cannot be read closes the connection: a program must know."""
        self._refuse(connection, Refused(hello.code, hello.text))

    def let_in(self, connection: Connection, hello: Hello) -> None:
        """A client enters, or goes on under another format if it is in the room already."""
        if self._room.closing:
            self._endings.end(connection, CloseReason.SHUTDOWN)
            return
        outcome = self._name(connection, hello)
        if outcome.refused is not None:
            self._refuse(connection, outcome.refused)
            return
        if hello.after is None:
            self._fanout.enter(connection)
            self._announcer.tell(connection, self._welcome(connection))
            self._presence.tell_newcomer(connection)
        else:
            self._announcer.remember()  # so that the journal has this turn's events too
            resumed = self._replay.begin(connection, hello.after, hello.session)
            welcome = msgspec.structs.replace(self._welcome(connection), **resumed)
            self._announcer.tell(connection, welcome)
            self._replay.finish(connection)

    def _name(self, connection: Connection, hello: Hello) -> Outcome:
        """Give the client its name in the room; the outcome may be a refusal."""
        if connection.inside:
            return self._rename(connection, hello)
        outcome = self._join(connection, hello.nick, hello.token)
        if outcome.refused is not None and not hello.strict and outcome.refused.code != "room_full":
            refused = outcome.refused
            self._announcer.tell(connection, answers.Error(refused.code, refused.text))
            outcome = self._join(connection, None, None)
        return outcome

    def _join(self, connection: Connection, nick: str | None, claim: str | None) -> Outcome:
        token = secrets.token_urlsafe(16)
        outcome = self._room.apply(Join(connection.id, self._announcer.time, nick, token, claim))
        if outcome.refused is None:
            self._presence.enter(connection)
            self._endings.remove(outcome.removed)
            self._announcer.publish(outcome.event)
            self._presence.follow()
        return outcome

    def _rename(self, connection: Connection, hello: Hello) -> Outcome:
        """The hello of who entered in silence: it may name somebody."""
        rename = Rename(connection.id, self._announcer.time, hello.nick, hello.token)
        outcome = self._room.apply(rename)
        if outcome.refused is None:
            self._endings.remove(outcome.removed)
            self._announcer.publish(outcome.event)
            self._presence.follow()
        return outcome

    def _refuse(self, connection: Connection, refused: Refused) -> None:
        self._announcer.tell(connection, answers.Error(refused.code, refused.text))
        full = refused.code == "room_full"
        reason = CloseReason.KICKED if full else CloseReason.PROTOCOL_ERROR
        text = f"not let in: {refused.code}"
        self._endings.end(connection, reason, text, code=refused.code)

    def _welcome(self, connection: Connection) -> answers.Welcome:
        room = self._room
        return answers.Welcome(
            protocol=PROTOCOL_VERSION,
            room=room.name,
            session=self._journal.session,
            nick=room.nick(connection.id),
            token=room.token(connection.id),
            seq=room.seq,
            members=room.latest_speakers(WELCOME_MEMBERS),
            member_count=len(room),
            limits=self._offer.limits,
            multicast=self._offer.multicast,
            topic=room.topic,
            account=room.account(connection.id),
            role=room.role(connection.id),
        )
