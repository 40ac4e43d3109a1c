"""What each connection is in a room that is on several servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatroom.room.commands import Command, Join, Leave, LogIn, Rename, Reserve

if TYPE_CHECKING:
    from chatroom.room.room import Room
    from chatroom.server.connection import Connection

_CHANGES = frozenset({Join, Reserve, Rename, LogIn})


def changes_standing(command: Command) -> bool:
    """Whether what its asker says next can be dealt with only when `command` has been."""
    kind = type(command)
    return kind in _CHANGES or (type(command) is Leave and command.part)


class Standing:
    """How everybody would come in again."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._comebacks: dict[Connection, Join | Reserve] = {}

    def note(self, connection: Connection, command: Command, time: str) -> None:
        """`command` has been done: keep what it would take to come in again."""
        kind = type(command)
        if kind not in _CHANGES and kind is not Leave:
            return
        if isinstance(command, Leave) and not command.part:
            self.forget(connection)
            return
        who, room = connection.who, self._room
        inside = kind is Join or (kind is not Reserve and self._is_member(connection))
        nick, account, role = room.nick(who), room.account(who) or "", room.role(who)
        address = connection.address
        if inside and not isinstance(command, Leave):
            join = Join(who, time, nick, room.token(who), None, account, role, address)
            self._comebacks[connection] = join
        else:
            reserve = Reserve(who, time, nick, account, role, address)
            self._comebacks[connection] = reserve

    def forget(self, connection: Connection | None) -> None:
        """It does not come in again."""
        if connection is not None:
            self._comebacks.pop(connection, None)

    def comeback(self, connection: Connection) -> Join | Reserve | None:
        """How it was in; None if it was not."""
        return self._comebacks.get(connection)

    def _is_member(self, connection: Connection) -> bool:
        return isinstance(self._comebacks.get(connection), Join)
