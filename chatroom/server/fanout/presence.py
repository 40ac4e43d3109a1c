"""Which connection is whom in the room, what is said of whom, and whether joins and leaves are
announced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chatroom.protocol import answers
from chatroom.protocol.people import NO_CARD, Card, People, Person

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatroom.room.room import Room
    from chatroom.server.connection import Connection
    from chatroom.server.fanout.announcer import Announcer
    from chatroom.server.fanout.fanout import Fanout


class Presence:
    """Follows the room; over its limit nobody could read who comes and goes. Of who is on another
    server it knows what the room knows, and nothing else.
    """

    def __init__(self, room: Room, fanout: Fanout, announcer: Announcer) -> None:
        self._room = room
        self._fanout = fanout
        self._announcer = announcer
        self._announced = True
        self._connections: dict[int, Connection] = {}
        self.people = People()  #: what those say of themselves who do
        self._nicks: dict[int, str] = {}  # under which they do
        self._listed: dict[int, str] = {}  # who stands in the lists of names, and how
        self.people.members = self._all_members

    def enter(self, who: int, connection: Connection | None) -> None:
        """The room has taken somebody in, or has given it a name; None: on another server."""
        if connection is not None:
            connection.inside = True
            self._connections[who] = connection
        self.follow_name(who)

    def leave(self, who: int) -> None:
        """The room has let somebody go."""
        connection = self._connections.pop(who, None)
        if connection is not None:
            connection.inside = False
        self.leave_room(who)
        nick = self._nicks.pop(who, None)
        if nick is not None:
            self.people.drop(nick, self._announcer.time)

    def follow_name(self, who: int) -> None:
        """The room may have given somebody another name, or another role."""
        self._follow_card(who)
        if self.people.are_listed and self._room.is_member(who):
            self._list(who, self._room.nick(who))

    def _list(self, who: int, nick: str) -> None:
        was = self._listed.get(who, nick)
        if was != nick:
            self.people.go_out(was)
        self._listed[who] = nick
        self.people.come_in(nick)

    def _all_members(self) -> Iterable[Person]:
        self._listed = {
            member.who: member.nick for member in self._room.members(0, len(self._room))
        }
        return [Person(nick, self.people.card(nick)) for nick in self._listed.values()]

    def start_over(self) -> None:
        """The room is what a log says that it is: what was followed of it is read again."""
        self.people.start_over(moderated=self._room.moderated)
        self._nicks.clear()
        for who in self._room.everybody():
            self._follow_card(who)

    def leave_room(self, who: int) -> None:
        """It is no member any more; it may have its name still."""
        nick = self._listed.pop(who, None)
        if nick is not None:
            self.people.go_out(nick)

    def _follow_card(self, who: int) -> None:
        account, role = self._room.account_name(who), self._room.role(who)
        voiced = self._room.has_voice(who)
        connection = self._connections.get(who)
        said = None if connection is None else connection.card
        is_bare = said is None and account is None and not voiced
        if is_bare and who not in self._nicks:
            return  # nothing is said of it
        card = said or NO_CARD
        if voiced is not card.voiced:
            card = msgspec.structs.replace(card, voiced=voiced)
        if account is not None:
            card = msgspec.structs.replace(card, account=account, role=role)
        nick = self._room.nick(who)
        was = self._nicks.get(who)
        if was is not None and was != nick:
            self.people.drop(was, self._announcer.time)
        self._nicks[who] = nick
        self.people.put(nick, card)

    def introduce(self, connection: Connection, card: Card) -> None:
        """`connection` says something else of itself; those who hear it are told."""
        who = connection.who
        was = self.card(who)
        connection.card = card
        if connection.inside:
            self.follow_name(who)
            if connection.audience is not None:
                nick = self._room.nick(who)
                now = self.people.card(nick)
                self._fanout.tell_all(answers.Changed(nick, was, now), connection)

    def card(self, who: int) -> Card:
        """What is said of it."""
        nick = self._nicks.get(who)
        return NO_CARD if nick is None else self.people.card(nick)

    def follow_identity(self, who: int) -> None:
        """The room may have given a member another role, or voice: all are told of it."""
        was = self.card(who)
        self.follow_name(who)
        self.tell_identity(who, was)

    def moderate(self, moderated: answers.Moderated) -> None:
        """Who may talk at all has changed; all are told."""
        self.people.moderated = moderated.on
        self._fanout.tell_all(moderated)

    def tell_identity(self, who: int, was: Card) -> None:
        """The room may have given a member another account or role: its name has been followed, and
        `was` is its card before. All are told whose formats have it, itself too. Who
        has only a name concerns nobody.
        """
        now = self.card(who)
        changed = (now.account, now.role, now.voiced) != (was.account, was.role, was.voiced)
        if changed and self._room.is_member(who):
            self._fanout.tell_all(answers.Changed(self._room.nick(who), was, now))

    def connection_or_none(self, who: int) -> Connection | None:
        """That of a member; None if it has gone, or is on another server."""
        return self._connections.get(who)

    def is_here(self, who: int) -> bool:
        """Whether it has not gone."""
        return who in self._connections

    def follow(self) -> None:
        """Tell everybody when joins and leaves stop, or begin, to be announced."""
        if self._room.announced is not self._announced:
            self._announced = self._room.announced
            self._fanout.tell_all(answers.Presence(self._announced, len(self._room)))

    def tell_newcomer(self, connection: Connection) -> None:
        """Who comes in while joins are not announced is told so too."""
        if not self._announced:
            self._announcer.tell(connection, answers.Presence(False, len(self._room)))
