"""What each draft does to the room, and what its client is told. Synchronous: decided in one go."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec

from chatroom.event import CloseReason
from chatroom.protocol import answers
from chatroom.protocol.plain.render import HELP, OPERATOR_HELP
from chatroom.protocol.requests import (
    Answered,
    BadHello,
    Ending,
    Enter,
    Hello,
    Introduce,
    Part,
    Proven,
    Refusal,
    Reply,
    Request,
    Sign,
    Speaks,
)
from chatroom.room.commands import Announce, Close, Own, Rename
from chatroom.room.refused import Refused
from chatroom.room.role import Role

if TYPE_CHECKING:
    from chatroom.room.commands import Outcome
    from chatroom.server.admission import Admission
    from chatroom.server.connection import Connection
    from chatroom.server.hall import Hall
    from chatroom.server.inlet import Said
    from chatroom.server.marks import Marks
    from chatroom.server.operators import Operators
    from chatroom.server.queries import Queries

log = logging.getLogger("chatroom.server")


class Dispatcher:
    """Deals with batches of drafts: the room decides, the announcer tells."""

    def __init__(
        self,
        hall: Hall,
        admission: Admission,
        queries: Queries,
        operators: Operators,
        marks: Marks,
    ) -> None:
        self._counters = hall.counters
        self._room = hall.room
        self._fanout = hall.fanout
        self._announcer = hall.announcer
        self._endings = hall.endings
        self._fanout = hall.fanout
        self._presence = hall.presence
        self._operators = operators
        self._handlers: dict[type, Callable[[Connection, Any], None]] = {
            Request: self._request,
            Refusal: self._refusal,
            Reply: self._reply,
            Speaks: admission.speak,
            Hello: admission.let_in,
            Proven: admission.let_in_proven,
            BadHello: admission.refuse_hello,
            Enter: admission.come_in,
            Part: admission.go_out,
            Introduce: self._introduce,
            Sign: self._sign,
            Answered: self._answered,
            Ending: self._ending,
        }
        self._requests: dict[str, Callable[[Connection, Request], None]] = {
            "message": self._say,
            "action": self._say,
            "rename": self._rename,
            "who": queries.who,
            "people": queries.people,
            "ping": self._ping,
            "help": self._help,
            "invite": self._invite,
            "quit": self._quit,
            **operators.requests,
            **marks.requests,
            # Answered outside the turn: they may wait for the disk.
            "history": _answered_later,
            "search": _answered_later,
        }

    def turn(self, batch: Sequence[Said]) -> None:
        """Deal with a batch, then hand everybody what came of it. Never raises for a client's
        sake: whoever trips over a fault of ours is closed, and the room goes on.
        """
        begun = perf_counter()
        self._announcer.begin()
        handlers = self._handlers
        count = 0
        for connection, drafts in batch:
            if connection is not None:
                count += len(drafts)
                try:
                    for draft in drafts:
                        if connection.close_reason is not None:
                            break
                        handlers[type(draft)](connection, draft)
                except Exception:
                    log.exception("connection %d: fault in the server", connection.id)
                    fault = CloseReason.PROTOCOL_ERROR
                    self._endings.end(connection, fault, "a fault in the server")
        self._deliver()
        self._announcer.end()
        self._counters.batches.observe(count)
        self._counters.turns.observe(int((perf_counter() - begun) * 1_000_000))

    def _deliver(self) -> None:
        while True:
            # Delivery goes first: handing over wakes the journal's thread, which takes the
            # interpreter's lock and, on a busy machine, the core.
            self._announcer.flush()
            self._announcer.remember()
            if not self._endings.end_due():
                return

    @property
    def now(self) -> str:
        """The time of the present turn, or of the last one."""
        return self._announcer.time

    def administer(self, request: Request) -> Outcome:
        """What the administrator of the machine asks for. Between turns; this is one."""
        with self._extra_turn():
            return self._operators.rule(None, request)

    def announce(self, newcomers: Sequence[int]) -> None:
        """These have come in some time ago, and are told of now. Between turns; this is one."""
        with self._extra_turn():
            for who in newcomers:
                event = self._room.apply(Announce(who, self.now)).event
                self._announcer.publish(event, self._presence.connection_or_none(who))

    def own(self, accounts: tuple[tuple[str, Role], ...]) -> None:
        """These accounts there are from now on. Between turns; this is one."""
        with self._extra_turn():
            outcome = self._room.apply(Own(self.now, accounts))
            self._endings.remove(outcome.removed)
            for who in outcome.concerns:
                self._presence.follow_identity(self._presence.connection(who))
            self._fanout.revoke_feed_keys()

    @contextmanager
    def _extra_turn(self) -> Iterator[None]:
        self._announcer.begin()
        yield
        self._deliver()
        self._announcer.end()

    def close(self) -> None:
        """The room goes down: endings from here on are a shutdown. Between turns."""
        self._room.apply(Close(self._announcer.time))

    # What clients ask for

    def _request(self, connection: Connection, request: Request) -> None:
        if connection.inside or request.kind == "quit":
            self._requests[request.kind](connection, request)
        else:
            answer = answers.Error("login_needed", "log in first", request.id)
            self._announcer.tell(connection, answer)

    def _say(self, connection: Connection, request: Request) -> None:
        time = self._announcer.time
        try:
            event = self._room.say(connection.id, time, request.kind, request.text, request.notice)
        except Refused as refused:
            answer = answers.Error(refused.code, refused.text, request.id)
            self._announcer.tell(connection, answer)
            return
        self._fanout.publish(event, connection)
        if request.id is not None:
            if connection.speaker is not None:
                self._announcer.tell(connection, answers.Said(event, request.id))
            self._announcer.promise_ack(connection, answers.Ack(request.id, event.seq))

    def _rename(self, connection: Connection, request: Request) -> None:
        outcome = self._room.apply(Rename(connection.id, self._announcer.time, request.to))
        refused, event = outcome.refused, outcome.event
        if refused is not None:
            answer = answers.Error(refused.code, refused.text, request.id)
            self._announcer.tell(connection, answer)
            return
        self._endings.remove(outcome.removed)
        self._presence.follow_name(connection)
        self._announcer.publish(event, connection)
        if event is None or request.id is None or connection.speaker is not None:
            renamed = answers.Renamed(self._room.nick(connection.id), request.id)
            self._announcer.tell(connection, renamed)
        else:
            ack = answers.Ack(request.id, event.seq, event.to)
            self._announcer.promise_ack(connection, ack)

    def _ping(self, connection: Connection, request: Request) -> None:
        self._announcer.tell(connection, answers.Pong(request.id))

    def _help(self, connection: Connection, request: Request) -> None:
        self._announcer.tell(connection, answers.Help(HELP))
        if self._room.role(connection.id) is Role.OPERATOR:
            self._announcer.tell(connection, answers.Help(OPERATOR_HELP))

    def _invite(self, connection: Connection, request: Request) -> None:
        """Only who is outside can be asked in: whoever has another way in is inside."""
        try:
            self._room.check_may_talk(connection.id, self._announcer.time)
        except Refused as refused:
            error = answers.Error(refused.code, refused.text, request.id)
            self._announcer.tell(connection, error)
            return
        found = self._room.find(request.nick)
        if found is None or found[1]:
            code = "unknown_nick" if found is None else "nick_inside"
            self._announcer.tell(connection, answers.Error(code, request.nick, request.id))
            return
        member = found[0]
        invited = answers.Invited(member.nick, self._room.nick(connection.id), request.id)
        self._announcer.tell(connection, invited)
        told = msgspec.structs.replace(invited, id=None)
        self._announcer.tell(self._presence.connection(member.who), told)
        self._fanout.tell_all(told, connection)

    def _quit(self, connection: Connection, request: Request) -> None:
        self._endings.end(connection, CloseReason.QUIT, said=request.text)

    def _refusal(self, connection: Connection, refusal: Refusal) -> None:
        self._announcer.tell(connection, answers.Error(refusal.code, refusal.text, refusal.id))

    def _reply(self, connection: Connection, reply: Reply) -> None:
        connection.outbox.push(reply.data)

    def _introduce(self, connection: Connection, introduce: Introduce) -> None:
        self._presence.introduce(connection, introduce.card)

    def _sign(self, connection: Connection, sign: Sign) -> None:
        tagged = answers.Tagged(self._room.nick(connection.id), sign.tags, sign.id)
        self._fanout.tell_all(tagged, connection)
        if sign.id is not None:
            self._announcer.tell(connection, tagged)

    def _answered(self, connection: Connection, answered: Answered) -> None:
        self._announcer.tell(connection, answered.answer)

    def _ending(self, connection: Connection, ending: Ending) -> None:
        if self._room.closing:  # it was made to end
            self._endings.end(connection, CloseReason.SHUTDOWN)
        else:
            self._endings.end(connection, ending.reason, ending.text)


def _answered_later(connection: Connection, request: Request) -> None:
    pass
