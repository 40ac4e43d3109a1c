"""Which connection is whom in the room, and whether joins and leaves are announced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatroom.protocol import answers

if TYPE_CHECKING:
    from chatroom.room.room import Room
    from chatroom.server.announcer import Announcer
    from chatroom.server.connection import Connection
    from chatroom.server.fanout import Fanout


class Presence:
    """Follows the room; over its limit nobody could read who comes and goes."""

    def __init__(self, room: Room, fanout: Fanout, announcer: Announcer) -> None:
        self._room = room
        self._fanout = fanout
        self._announcer = announcer
        self._announced = True
        self._connections: dict[int, Connection] = {}

    def enter(self, connection: Connection) -> None:
        """The room has taken `connection` in."""
        connection.inside = True
        self._connections[connection.id] = connection

    def leave(self, connection: Connection) -> None:
        """The room has let `connection` go."""
        connection.inside = False
        del self._connections[connection.id]

    def connection(self, who: int) -> Connection:
        """That of a member."""
        return self._connections[who]

    def connection_or_none(self, who: int) -> Connection | None:
        """That of a member; None if it has gone."""
        return self._connections.get(who)

    def follow(self) -> None:
        """Tell everybody when joins and leaves stop, or begin, to be announced."""
        if self._room.announced is not self._announced:
            self._announced = self._room.announced
            self._fanout.tell_all(answers.Presence(self._announced, len(self._room)))

    def tell_newcomer(self, connection: Connection) -> None:
        """Who comes in while joins are not announced is told so too."""
        if not self._announced:
            self._announcer.tell(connection, answers.Presence(False, len(self._room)))
