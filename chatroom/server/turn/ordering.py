"""How what a connection asks for comes to the room: decided here, and then told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from chatroom.room.commands import Close, Command, Outcome

if TYPE_CHECKING:
    from chatroom.room.room import Room
    from chatroom.server.connection import Connection
    from chatroom.server.fanout.announcer import Announcer
    from chatroom.server.fanout.telling import Teller

#: Called with what came of a command.
Then = Callable[[Outcome], None]


def nothing_more(outcome: Outcome) -> None:
    """What follows a command whose asker is told nothing."""


class Order(Protocol):
    """The one order of commands, as those who make them see it."""

    closing: bool  #: nobody comes in any more

    def propose(
        self, connection: Connection | None, command: Command, then: Then = nothing_more
    ) -> None:
        """Have the room do `command`, which is of `connection` or, with None, of the administrator.
        In a turn only; never waits.

        When the room has done it, at once or in a later turn, everybody has been told of it, and
        then `then` is called, in a turn and once; not at all if the connection has ended meanwhile.
        """

    def who(self, number: int) -> int:
        """Who the connection with that number is in the room."""

    def is_pending(self, connection: Connection) -> bool:
        """Whether something that it has proposed, and that changes its standing, is under way."""

    def end_turn(self) -> None:
        """The turn is over: all has been told."""

    def close(self, time: str) -> None:
        """This server goes down. Between turns."""


class LocalOrder:
    """One server alone: the room does it in the same turn."""

    closing = False

    def __init__(self, room: Room, teller: Teller, announcer: Announcer) -> None:
        self._room = room
        self._teller = teller
        self.end_turn = announcer.end  #: see `Order.end_turn`

    def propose(
        self, connection: Connection | None, command: Command, then: Then = nothing_more
    ) -> None:
        """See `Order.propose`."""
        outcome = self._room.apply(command)
        self._teller.tell(connection, command, outcome)
        then(outcome)

    def who(self, number: int) -> int:
        """See `Order.who`."""
        return number

    def is_pending(self, connection: Connection) -> bool:
        """See `Order.is_pending`."""
        return False

    def close(self, time: str) -> None:
        """See `Order.close`."""
        self.closing = True
        self._room.apply(Close(time))
