"""What those who are connected say of themselves, beside their names."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from chatroom.protocol.roster import Roster
from chatroom.room.role import Role


class Activity:
    """When somebody came, and when it said something last: Unix times. It changes while the card
    stays the same, so that nobody is told of every word.
    """

    __slots__ = ("since", "spoke")

    def __init__(self, now: float) -> None:
        self.since = self.spoke = now

    def __eq__(self, other: object) -> bool:
        """Always: cards are the same that say the same, whenever that was."""
        return isinstance(other, Activity)

    __hash__ = None  # type: ignore[assignment]  # it is no value


class Card(msgspec.Struct, frozen=True):
    """What somebody says of itself. Formats that have no place for it leave it out."""

    user: str = ""
    realname: str = ""
    away: str | None = None  #: it is not at the keyboard, and says why
    bot: bool = False
    account: str = ""  #: the key of the account that it has logged in to: the room says so
    role: Role = Role.MEMBER  #: this too
    voiced: bool = False  #: it may talk though the room is moderated; this too
    activity: Activity | None = None  #: of those whose format keeps account of it


class Person(msgspec.Struct, frozen=True):
    """Somebody, as a `people` request tells of it."""

    nick: str
    card: Card
    inside: bool = True  #: a member, not only a name that is reserved


class Departed(msgspec.Struct, frozen=True):
    """Somebody who has gone, or has another name now."""

    nick: str
    card: Card
    time: str


#: So many that have gone are remembered, whoever they were.
MOST_DEPARTED = 500

#: Of those who say nothing of themselves.
NO_CARD = Card()


#: How somebody is written in a list of names.
Written = Callable[[Person], str]


class People:
    """The cards by nick, of those who have one; and the lists of names, of all members."""

    def __init__(self) -> None:
        self._cards: dict[str, Card] = {}
        self._rosters: dict[Written, Roster] = {}
        self.moderated = False  #: only operators and who has voice may talk
        self.members: Callable[[], Iterable[Person]] = tuple  #: all who are in the room now
        self.departed: deque[Departed] = deque(maxlen=MOST_DEPARTED)  #: the latest last

    def card(self, nick: str) -> Card:
        """That of `nick`, or an empty one."""
        return self._cards.get(nick, NO_CARD)

    def put(self, nick: str, card: Card) -> None:
        """`nick` is present, and says this of itself."""
        self._cards[nick] = card

    def drop(self, nick: str, time: str) -> None:
        """`nick` has gone, or has another name now."""
        card = self._cards.pop(nick, None)
        if card is not None:
            self.departed.append(Departed(nick, card, time))

    def start_over(self, *, moderated: bool) -> None:
        """Nobody is present, until it is said again who is."""
        self._cards.clear()
        self._rosters.clear()
        self.moderated = moderated

    @property
    def are_listed(self) -> bool:
        """Somebody wants lists of names: `come_in` and `go_out` are to be called."""
        return bool(self._rosters)

    def roster(self, written: Written, limit_bytes: int) -> Roster:
        """The list of all members, kept from its first being asked for on. In the room's turn."""
        roster = self._rosters.get(written)
        if roster is None:
            roster = self._rosters[written] = Roster(written, limit_bytes, self.members())
        return roster

    def come_in(self, nick: str) -> None:
        """A member has this name from now on, or another card."""
        person = Person(nick, self.card(nick))
        for roster in self._rosters.values():
            roster.put(person)

    def go_out(self, nick: str) -> None:
        """No member has it any more."""
        for roster in self._rosters.values():
            roster.drop(nick)
