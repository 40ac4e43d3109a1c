"""How clients come in: hellos, names, the welcome."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec

from chatroom.event import CloseReason
from chatroom.protocol import answers
from chatroom.protocol.requests import Hello, Proven
from chatroom.room.commands import Join, Leave, LogIn, Outcome, Rename, Reserve
from chatroom.room.nick import key_of_account
from chatroom.room.refused import Refused
from chatroom.settings import WELCOME_MEMBERS

if TYPE_CHECKING:
    from chatroom.protocol.requests import BadHello, Enter, Outside, Part, Speaks
    from chatroom.server.connection import Connection
    from chatroom.server.turn.comings import Comings
    from chatroom.server.turn.gate import Gate
    from chatroom.server.turn.hall import Hall
    from chatroom.server.turn.offer import Offer
    from chatroom.server.turn.ordering import Then
    from chatroom.server.turn.replay import Replay

PROTOCOL_VERSION = 1

#: Why a connection ends that is not let in for no fault of its own.
_REASONS = {"room_full": CloseReason.KICKED, "unavailable": CloseReason.LOST}

#: With these a guest would not be let in either.
_FINAL = frozenset({"room_full", "unavailable"})

_NEEDS_TLS = Refused("not_encrypted", "this room is entered over TLS only")


class Admission:
    """Lets clients in. Synchronous, in a turn."""

    def __init__(
        self, hall: Hall, replay: Replay, offer: Offer, gate: Gate, comings: Comings
    ) -> None:
        self._room = hall.room
        self._order = hall.order
        self._journal = hall.journal
        self._fanout = hall.fanout
        self._announcer = hall.announcer
        self._presence = hall.presence
        self._endings = hall.endings
        self._replay = replay
        self._offer = offer
        self._gate = gate
        self._comings = comings

    def speak(self, connection: Connection, speaks: Speaks) -> None:
        """From here on `connection` is spoken to in another format; its hello says how it goes on
        hearing the room.
        """
        heard = connection.audience is not None
        self._fanout.leave(connection)
        connection.format, connection.own = speaks.format, speaks.own
        connection.speaker = speaks.speaker
        if heard and speaks.goes_on:
            self._fanout.enter(connection)

    def refuse_hello(self, connection: Connection, hello: BadHello) -> None:
        """A hello that cannot be read closes the connection: a program must know."""
        self._refuse(connection, Refused(hello.code, hello.text))

    def let_in(self, connection: Connection, hello: Hello) -> None:
        """A client enters, or goes on under another format if it is in the room already; or it is
        told to log in. Who brings credentials waits outside until they have been looked at.
        """
        if connection.needs_tls:
            self._refuse(connection, _NEEDS_TLS, hello.outside.id if hello.outside else None)
            return
        proven = connection.proven
        if proven is not None and hello.credentials is None:
            self._enter(connection, msgspec.structs.replace(proven, hello=hello))
            return
        refused = self._gate.refusal(connection, hello)
        if refused is not None:
            self._leave_outside(connection, hello, refused)
        elif not self._gate.is_to_prove(hello):
            self._enter(connection, Proven(hello))

    def let_in_proven(self, connection: Connection, proven: Proven) -> None:
        """The credentials of a hello have been looked at."""
        if proven.refused is not None:
            self._leave_outside(connection, proven.hello, proven.refused)
            return
        hello = proven.hello
        if hello.nick is None and connection.wanted_nick is not None:
            hello = msgspec.structs.replace(hello, nick=connection.wanted_nick)
            proven = msgspec.structs.replace(proven, hello=hello)
        self._enter(connection, proven)

    def _leave_outside(self, connection: Connection, hello: Hello, refused: Refused) -> None:
        if hello.outside is not None and hello.outside.only_log_in:
            error = answers.Error(refused.code, refused.text, hello.outside.id)
            self._announcer.tell(connection, error)  # it may try again, or come in without
            return
        if hello.strict:
            self._refuse(connection, refused, hello.outside.id if hello.outside else None)
            return
        connection.wanted_nick = hello.nick or connection.wanted_nick
        self._announcer.tell(connection, answers.Error(refused.code, refused.text))
        if not connection.inside:
            self._gate.leave_outside(connection)

    def _enter(self, connection: Connection, proven: Proven) -> None:
        hello = proven.hello
        if self._order.closing:
            self._endings.end(connection, CloseReason.SHUTDOWN)
            return
        if hello.listens:
            self._hand_out_feed(connection, proven)
            return
        if hello.outside is not None:
            self._register(connection, proven, hello.outside)
            return
        self._name(connection, proven, lambda outcome: self._named(connection, hello, outcome))

    def _named(self, connection: Connection, hello: Hello, outcome: Outcome) -> None:
        """It has a name in the room, or is not let in."""
        if outcome.refused is not None:
            self._refuse(connection, outcome.refused)
            return
        self._offer.show(connection.address)
        if hello.after is None:
            self._fanout.leave(connection)  # one hears the room already who logs in later
            self._fanout.enter(connection)
            self._announcer.tell(connection, self._welcome(connection))
            self._presence.tell_newcomer(connection)
        else:
            self._announcer.remember()  # so that the journal has this turn's events too
            resumed = self._replay.begin(connection, hello.after, hello.session)
            welcome = msgspec.structs.replace(self._welcome(connection), **resumed)
            self._announcer.tell(connection, welcome)
            self._replay.finish(connection)

    def _hand_out_feed(self, connection: Connection, proven: Proven) -> None:
        """A listener is told where the feed is, with its keys, and goes."""
        multicast = self._offer.multicast(private=connection.private)
        account, time = key_of_account(proven.account), self._announcer.time
        if multicast is None:
            refused = Refused("not_supported", "this room has no feed")
        elif self._room.is_banned(account, connection.address, time):
            refused = Refused("banned", "you are banned")
        elif self._offer.is_sealed and not connection.private:
            refused = Refused("not_encrypted", "the feed's key is told under TLS only")
        else:
            journal = self._journal
            answer = answers.Feed(journal.session, journal.session_from, self._room.seq, multicast)
            self._offer.show(connection.address)
            self._announcer.tell(connection, answer)
            self._endings.end(connection, CloseReason.QUIT)
            return
        self._refuse(connection, refused)

    def _register(self, connection: Connection, proven: Proven, outside: Outside) -> None:
        """A client gets a name, and is not in the room yet."""
        if outside.only_log_in:
            self._log_in(connection, proven, outside)
            return
        reserve = Reserve(
            connection.who,
            self._announcer.time,
            proven.hello.nick,
            proven.account,
            proven.role,
            connection.address,
        )
        connection.card = outside.card
        self._order.propose(
            connection,
            reserve,
            lambda outcome: self._registered(connection, proven.account, outside, outcome),
        )

    def _log_in(self, connection: Connection, proven: Proven, outside: Outside) -> None:
        """A client has proven who it is, before it has a name or under the one that it keeps."""
        logged_in = answers.LoggedIn(proven.account, outside.id)

        def known(outcome: Outcome) -> None:
            refused = outcome.refused
            error = refused and answers.Error(refused.code, refused.text, outside.id)
            self._announcer.tell(connection, error or logged_in)

        if connection.inside and proven.account:
            who, time = connection.who, self._announcer.time
            log_in = LogIn(who, time, proven.account, proven.role, keeps_nick=True)
            self._order.propose(connection, log_in, known)
        else:
            connection.proven = proven
            self._announcer.tell(connection, logged_in)

    def _registered(
        self, connection: Connection, account: str, outside: Outside, outcome: Outcome
    ) -> None:
        refused = outcome.refused
        if refused is not None and refused.code in ("nick_taken", "nick_invalid"):
            error = answers.Error(refused.code, refused.text, outside.id)
            self._announcer.tell(connection, error)  # it may ask for another one
        elif refused is not None:
            self._refuse(connection, refused, outside.id)
        else:
            nick = self._room.nick(connection.who)
            names_held = self._room.names_held
            answer = answers.Registered(nick, names_held, account, outside.id)
            self._announcer.tell(connection, answer)

    def come_in(self, connection: Connection, enter: Enter) -> None:
        """Who has a name comes in."""
        join = self._joining(connection, Proven(Hello()), None, None)
        self._order.propose(
            connection, join, lambda outcome: self._come(connection, enter, outcome)
        )

    def _come(self, connection: Connection, enter: Enter, outcome: Outcome) -> None:
        if outcome.refused is not None:
            error = answers.Error(outcome.refused.code, outcome.refused.text, enter.id)
            self._announcer.tell(connection, error)
            return
        self._offer.show(connection.address)
        self._fanout.enter(connection)
        by, since = self._room.topic_set
        welcome = msgspec.structs.replace(
            self._welcome(connection, named=0), id=enter.id, topic_by=by, topic_time=since
        )
        self._announcer.tell(connection, welcome)
        self._presence.tell_newcomer(connection)

    def go_out(self, connection: Connection, part: Part) -> None:
        """A member goes out, and keeps its name."""
        self._fanout.leave(connection)
        leave = Leave(
            connection.who, self._announcer.time, CloseReason.QUIT, text=part.text, part=True
        )
        parted = answers.Parted(part.text, part.id)
        self._order.propose(
            connection, leave, lambda outcome: self._announcer.tell(connection, parted)
        )

    def _name(self, connection: Connection, proven: Proven, then: Then) -> None:
        """Give the client its name in the room; the outcome may be a refusal."""
        hello = proven.hello
        if connection.inside:
            self._rename(connection, proven, then)
            return

        def joined(outcome: Outcome) -> None:
            refused = outcome.refused
            if refused is None or hello.strict or refused.code in _FINAL:
                then(outcome)
                return
            self._announcer.tell(connection, answers.Error(refused.code, refused.text))
            self._order.propose(connection, self._joining(connection, proven, None, None), then)

        join = self._joining(connection, proven, hello.nick, hello.token)
        self._order.propose(connection, join, joined)

    def _joining(
        self, connection: Connection, proven: Proven, nick: str | None, claim: str | None
    ) -> Join:
        return Join(
            connection.who,
            self._announcer.time,
            nick,
            secrets.token_urlsafe(16),
            claim,
            proven.account,
            proven.role,
            connection.address,
            told=not self._room.announced or self._comings.is_told(connection),
        )

    def _rename(self, connection: Connection, proven: Proven, then: Then) -> None:
        """The hello of who is in already: it may name somebody, or have logged in."""
        who, time, hello = connection.who, self._announcer.time, proven.hello
        rename = Rename(who, time, hello.nick, hello.token)
        if not proven.account:
            self._order.propose(connection, rename, then)
            return

        def renamed(outcome: Outcome) -> None:
            # Where it does not have to have that nick it is in, under its account's.
            then(outcome if hello.strict else Outcome())

        def logged_in(outcome: Outcome) -> None:
            if outcome.refused is not None or hello.nick is None:
                then(outcome)
            else:
                self._order.propose(connection, rename, renamed)

        self._order.propose(connection, LogIn(who, time, proven.account, proven.role), logged_in)

    def _refuse(self, connection: Connection, refused: Refused, id_: str | None = None) -> None:
        self._announcer.tell(connection, answers.Error(refused.code, refused.text, id_))
        reason = _REASONS.get(refused.code, CloseReason.PROTOCOL_ERROR)
        text = f"not let in: {refused.code}"
        self._endings.end(connection, reason, text, code=refused.code)

    def _welcome(self, connection: Connection, *, named: int = WELCOME_MEMBERS) -> answers.Welcome:
        room = self._room
        return answers.Welcome(
            protocol=PROTOCOL_VERSION,
            room=room.name,
            session=self._journal.session,
            nick=room.nick(connection.who),
            token=room.token(connection.who),
            seq=room.seq,
            members=room.latest_speakers(named),
            member_count=len(room),
            limits=self._offer.limits,
            multicast=self._offer.multicast(private=connection.private),
            topic=room.topic,
            account=room.account_name(connection.who),
            role=room.role(connection.who),
            servers=self._offer.others() or msgspec.UNSET,
        )
