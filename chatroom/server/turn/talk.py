"""What is said: messages and actions, which is what a room does most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from chatroom.protocol import answers
from chatroom.room.commands import Say
from chatroom.room.refused import Refused

if TYPE_CHECKING:
    from chatroom.protocol.requests import Request
    from chatroom.room.commands import Outcome
    from chatroom.server.connection import Connection
    from chatroom.server.turn.hall import Hall


class Talk(Protocol):
    """Takes what members say. Synchronous, in a turn."""

    def say(self, connection: Connection, request: Request) -> None:
        """A message or an action of a member."""


class OrderedTalk:
    """In a cluster: what is said goes to the log, as all else that changes the room."""

    def __init__(self, hall: Hall) -> None:
        self._order = hall.order
        self._announcer = hall.announcer

    def say(self, connection: Connection, request: Request) -> None:
        """See `Talk.say`."""
        time = self._announcer.time
        said = Say(connection.who, time, request.kind, request.text, request.notice)
        self._order.propose(
            connection, said, lambda outcome: self._said(connection, request, outcome)
        )

    def _said(self, connection: Connection, request: Request, outcome: Outcome) -> None:
        refused, event = outcome.refused, outcome.event
        if refused is not None:
            answer = answers.Error(refused.code, refused.text, request.id)
            self._announcer.tell(connection, answer)
        elif event is not None and request.id is not None:
            if connection.speaker is not None:
                self._announcer.tell(connection, answers.Said(event, request.id))
            self._announcer.promise_ack(connection, answers.Ack(request.id, event.seq))


class LocalTalk:
    """One server alone: said to the room in the same turn, with nothing in between."""

    def __init__(self, hall: Hall) -> None:
        self._room = hall.room
        self._fanout = hall.fanout
        self._announcer = hall.announcer

    def say(self, connection: Connection, request: Request) -> None:
        """See `Talk.say`."""
        time = self._announcer.time
        try:
            event = self._room.say(connection.who, time, request.kind, request.text, request.notice)
        except Refused as refused:
            answer = answers.Error(refused.code, refused.text, request.id)
            self._announcer.tell(connection, answer)
            return
        self._fanout.publish(event, connection)
        if request.id is not None:
            if connection.speaker is not None:
                self._announcer.tell(connection, answers.Said(event, request.id))
            self._announcer.promise_ack(connection, answers.Ack(request.id, event.seq))
