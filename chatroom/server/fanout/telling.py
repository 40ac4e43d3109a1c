"""What everybody is told of what came of a command, whoever asked for it, on whichever server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatroom.protocol import answers
from chatroom.room.commands import (
    Impose,
    Join,
    Kick,
    Leave,
    Lift,
    LogIn,
    Moderate,
    Mute,
    Own,
    Redact,
    Rename,
    Reserve,
    Say,
    Topic,
    Unmute,
    Voice,
)
from chatroom.room.operators import ADMINISTRATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chatroom.room.commands import Command, Outcome, Removed
    from chatroom.room.room import Room
    from chatroom.server.connection import Connection
    from chatroom.server.fanout.announcer import Announcer
    from chatroom.server.fanout.farewell import Farewell
    from chatroom.server.fanout.presence import Presence

#: These change what outlives the room.
_KEPT = frozenset({Topic, Impose, Lift, Redact})

#: After these somebody may not hear the room any more.
_SHOW_OUT = frozenset({Kick, Impose, Own})


class Teller:
    """Tells, in a turn: events to all who hear the room, a goodbye to those who had to go."""

    def __init__(
        self,
        room: Room,
        announcer: Announcer,
        presence: Presence,
        farewell: Farewell,
        keep: Callable[[], None],
    ) -> None:
        """`keep`: called when what outlives the room has changed."""
        self._room = room
        self._announcer = announcer
        self._presence = presence
        self._farewell = farewell
        self._keep = keep

    def tell(self, connection: Connection | None, command: Command, outcome: Outcome) -> None:
        """`command` was of `connection`, or of nobody's here, and `outcome` has come of it. The
        asker itself is told by whoever proposed it; of a refusal nobody else hears.
        """
        if outcome.refused is not None:
            return
        kind = type(command)
        if kind is Say:  # as nearly all are; it changes nothing else
            self._announcer.publish(outcome.event, connection)
            return
        if isinstance(command, Redact):
            self._announcer.redact(command.of)
        if kind in _KEPT:
            self._keep()
        if kind in _SHOW_OUT:
            self._announcer.revoke_feed_keys()
        self._remove(outcome.removed)
        self._follow(connection, command, outcome)
        if isinstance(command, Moderate):
            by = self._name(command.who)
            self._presence.moderate(answers.Moderated(command.on, by))
        for member in outcome.concerns:
            self._tell_concerned(member, command)
        self._presence.follow()

    def _follow(self, connection: Connection | None, command: Command, outcome: Outcome) -> None:
        """Tell of the event, with what it changes in who is here, and under which name."""
        presence = self._presence
        if isinstance(command, (Join, Reserve)):
            presence.enter(command.who, connection)
            self._announcer.publish(outcome.event, connection)
        elif isinstance(command, Rename):
            presence.follow_name(command.who)
            self._announcer.publish(outcome.event, connection)
        elif isinstance(command, LogIn):
            was = presence.card(command.who)
            presence.follow_name(command.who)
            self._announcer.publish(outcome.event, connection)
            presence.tell_identity(command.who, was)
        elif isinstance(command, Leave):
            self._announcer.publish(outcome.event, connection)
            (presence.leave_room if command.part else presence.leave)(command.who)
        else:
            self._announcer.publish(outcome.event, connection)

    def _remove(self, removed: Sequence[Removed]) -> None:
        """Whom the room has taken out; a connection of ours that ends by itself has ended."""
        for gone in removed:
            connection = self._presence.connection_or_none(gone.who)
            stays = connection is not None and connection.close_reason is None
            if connection is not None and stays:
                self._farewell.begin(connection, gone.reason)
                event = gone.event
                if connection.speaker is not None and event is not None and event.by:
                    # In IRC a KICK goes to whom it is of as well.
                    self._announcer.tell(connection, answers.Said(event))
            self._announcer.publish(gone.event)
            self._presence.leave(gone.who)
            if connection is not None and stays:
                self._farewell.say(connection, gone.reason, gone.text)
        if removed:
            self._presence.follow()

    def _tell_concerned(self, member: int, command: Command) -> None:
        connection = self._presence.connection_or_none(member)
        if connection is not None and isinstance(command, (Mute, Unmute, Voice)):
            text = f"{_you(command)}, says {self._name(command.who)}"
            self._announcer.tell(connection, answers.Done(text))
        self._presence.follow_identity(member)

    def _name(self, who: int | None) -> str:
        return ADMINISTRATOR if who is None else self._room.nick(who)


def _you(command: Mute | Unmute | Voice) -> str:
    """What somebody is told whom it concerns."""
    if isinstance(command, Voice):
        return "you have voice" if command.on else "you have no voice any more"
    return "you may not talk" if isinstance(command, Mute) else "you may talk again"
