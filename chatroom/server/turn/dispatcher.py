"""What each draft does to the room, and what its client is told. Synchronous: decided in one go."""

from __future__ import annotations

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
from chatroom.room.commands import Announce, Outcome, Own, Rename
from chatroom.room.refused import Refused
from chatroom.room.role import Role
from chatroom.server.doubt import InDoubtError
from chatroom.server.turn.mending import Mending

if TYPE_CHECKING:
    from chatroom.server.connection import Connection
    from chatroom.server.turn.admission import Admission
    from chatroom.server.turn.hall import Hall
    from chatroom.server.turn.inlet import Said
    from chatroom.server.turn.marks import Marks
    from chatroom.server.turn.operators import Operators
    from chatroom.server.turn.ordering import Then
    from chatroom.server.turn.queries import Queries
    from chatroom.server.turn.talk import Talk


class Dispatcher:
    """Deals with batches of drafts: the room decides, the announcer tells."""

    def __init__(  # noqa: PLR0913 - each deals with requests of its kind
        self,
        hall: Hall,
        talk: Talk,
        admission: Admission,
        queries: Queries,
        operators: Operators,
        *,
        marks: Marks,
    ) -> None:
        self._order = hall.order
        self._counters = hall.counters
        self._room = hall.room
        self._fanout = hall.fanout
        self._announcer = hall.announcer
        self._endings = hall.endings
        self._presence = hall.presence
        self._operators = operators
        self._mending = Mending(hall)
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
            "message": talk.say,
            "action": talk.say,
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
        sake: whoever trips over a fault of ours is closed, and the room goes on. What it raises
        leaves the room in doubt.
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
                except InDoubtError:
                    raise
                except Exception:
                    self._mending.mend(connection)
        try:
            self._deliver()
        except MemoryError:
            self._deliver()  # the rest: what has been handed over is so once
        self._order.end_turn()
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

    def administer(self, request: Request, then: Then) -> None:
        """What the administrator of the machine asks for. Between turns; this is one."""
        with self.extra_turn():
            self._operators.rule(None, request, then)

    def announce(self, newcomers: Sequence[int]) -> None:
        """These have come in some time ago, and are told of now. Between turns; this is one."""
        with self.extra_turn():
            for who in newcomers:
                connection = self._presence.connection_or_none(who)
                self._order.propose(connection, Announce(who, self.now))

    def own(self, accounts: tuple[tuple[str, Role], ...]) -> None:
        """These accounts there are from now on. Between turns; this is one."""
        with self.extra_turn():
            self._order.propose(None, Own(self.now, accounts))

    @contextmanager
    def extra_turn(self) -> Iterator[None]:
        """A turn without a batch of drafts: what is decided inside is told at its end. Raises
        `InDoubtError` if it does not come to that.
        """
        try:
            self.begin_turn()
            yield
            self.end_turn()
        except Exception as error:
            raise InDoubtError from error

    def begin_turn(self) -> None:
        """A turn without a batch of drafts begins; `end_turn` is to follow before anybody waits."""
        self._announcer.begin()

    def end_turn(self) -> None:
        """Hand everybody what came of the turn."""
        self._deliver()
        self._order.end_turn()

    def close(self) -> None:
        """The room goes down: endings from here on are a shutdown. Between turns."""
        self._order.close(self._announcer.time)

    # What clients ask for

    def _request(self, connection: Connection, request: Request) -> None:
        if connection.inside or request.kind == "quit":
            self._requests[request.kind](connection, request)
        else:
            answer = answers.Error("login_needed", "log in first", request.id)
            self._announcer.tell(connection, answer)

    def _rename(self, connection: Connection, request: Request) -> None:
        rename = Rename(connection.who, self._announcer.time, request.to)
        self._order.propose(
            connection, rename, lambda outcome: self._renamed(connection, request, outcome)
        )

    def _renamed(self, connection: Connection, request: Request, outcome: Outcome) -> None:
        refused, event = outcome.refused, outcome.event
        if refused is not None:
            answer = answers.Error(refused.code, refused.text, request.id)
            self._announcer.tell(connection, answer)
        elif event is None or request.id is None or connection.speaker is not None:
            renamed = answers.Renamed(self._room.nick(connection.who), request.id)
            self._announcer.tell(connection, renamed)
        else:
            ack = answers.Ack(request.id, event.seq, event.to)
            self._announcer.promise_ack(connection, ack)

    def _ping(self, connection: Connection, request: Request) -> None:
        self._announcer.tell(connection, answers.Pong(request.id))

    def _help(self, connection: Connection, request: Request) -> None:
        self._announcer.tell(connection, answers.Help(HELP))
        if self._room.role(connection.who) is Role.OPERATOR:
            self._announcer.tell(connection, answers.Help(OPERATOR_HELP))

    def _invite(self, connection: Connection, request: Request) -> None:
        """Only who is outside can be asked in: whoever has another way in is inside."""
        try:
            self._room.check_may_talk(connection.who, self._announcer.time)
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
        there = self._presence.connection_or_none(member.who)
        if there is None:
            text = f"{member.nick} is on another server"
            self._announcer.tell(connection, answers.Error("unavailable", text, request.id))
            return
        invited = answers.Invited(member.nick, self._room.nick(connection.who), request.id)
        self._announcer.tell(connection, invited)
        told = msgspec.structs.replace(invited, id=None)
        self._announcer.tell(there, told)
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
        tagged = answers.Tagged(self._room.nick(connection.who), sign.tags, sign.id)
        self._fanout.tell_all(tagged, connection)
        if sign.id is not None:
            self._announcer.tell(connection, tagged)

    def _answered(self, connection: Connection, answered: Answered) -> None:
        self._announcer.tell(connection, answered.answer)

    def _ending(self, connection: Connection, ending: Ending) -> None:
        if self._order.closing:  # it was made to end
            self._endings.end(connection, CloseReason.SHUTDOWN)
        else:
            self._endings.end(connection, ending.reason, ending.text)


def _answered_later(connection: Connection, request: Request) -> None:
    pass
