"""What those who are connected say of themselves, beside their names."""

from __future__ import annotations

import msgspec

from chatroom.room.role import Role


class Card(msgspec.Struct, frozen=True):
    """What somebody says of itself. Formats that have no place for it leave it out."""

    user: str = ""
    realname: str = ""
    away: str | None = None  #: it is not at the keyboard, and says why
    bot: bool = False
    account: str = ""  #: the key of the account that it has logged in to: the room says so
    role: Role = Role.MEMBER  #: this too


class Person(msgspec.Struct, frozen=True):
    """Somebody, as a `people` request tells of it."""

    nick: str
    card: Card
    inside: bool = True  #: a member, not only a name that is reserved


#: Of those who say nothing of themselves.
NO_CARD = Card()


class People:
    """The cards by nick, of those who have one."""

    def __init__(self) -> None:
        self._cards: dict[str, Card] = {}

    def card(self, nick: str) -> Card:
        """That of `nick`, or an empty one."""
        return self._cards.get(nick, NO_CARD)

    def put(self, nick: str, card: Card) -> None:
        """`nick` is present, and says this of itself."""
        self._cards[nick] = card

    def drop(self, nick: str) -> Card | None:
        """`nick` has gone, or has another name now: what it said of itself."""
        return self._cards.pop(nick, None)
