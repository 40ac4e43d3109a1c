"""Who is here, found by number, by name and by token."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import islice

from chatroom.room.lookalikes import Lookalikes
from chatroom.room.role import Role


class Member:
    """Somebody in the room: a name, the token that proves it is theirs, and what they may do."""

    __slots__ = ("account", "address", "key", "nick", "role", "silenced", "token", "told", "who")

    def __init__(self, who: int, nick: str, key: str, token: str) -> None:
        self.who = who
        self.nick = nick
        self.key = key
        self.token = token
        self.account = ""  #: the key of its account's name; empty: it has none
        self.role = Role.MEMBER
        self.address = ""
        #: It may not talk, or could not when it was looked last; or its first word is to be noted.
        self.silenced = False
        #: The others can know that it is here, by a join, a word or a rename: they are told when it
        #: goes.
        self.told = True


class Members:
    """All members. Every way to find one takes the same time however many there are."""

    def __init__(self) -> None:
        self.by_who: dict[int, Member] = {}
        # The latest speaker is last; who has not spoken is in front.
        self._by_key: OrderedDict[str, Member] = OrderedDict()
        self._keys: list[str] = []  # sorted, to page through
        self._by_token: dict[str, Member] = {}
        self.looks = Lookalikes()  #: of their names
        self.losses = 0  #: how often a name has been given up
        #: Makes a member the latest speaker; by its key.
        self.has_spoken = self._by_key.move_to_end

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._by_key.values())

    def add(self, member: Member) -> None:
        """It has not spoken yet; its key is free."""
        self.by_who[member.who] = self._by_token[member.token] = member
        self._take_name(member)
        self._by_key.move_to_end(member.key, last=False)

    def remove(self, member: Member) -> None:
        """It has gone."""
        self._forget_name(member)
        del self.by_who[member.who]
        del self._by_token[member.token]

    def rename(self, member: Member, nick: str, key: str) -> None:
        """Who says a new name is heard. The key is free, or its own."""
        self._forget_name(member)
        member.nick, member.key = nick, key
        self._take_name(member)

    def of_key(self, key: str) -> Member | None:
        """Who has the name."""
        return self._by_key.get(key)

    def of_token(self, token: str) -> Member | None:
        """Whose name is proven by it."""
        return self._by_token.get(token)

    def latest_speakers(self, limit: int) -> list[str]:
        """At most `limit` nicks, the latest speakers first."""
        return [member.nick for member in islice(reversed(self._by_key.values()), limit)]

    def nicks(self, offset: int, limit: int) -> Sequence[str]:
        """A page of all nicks, in the order of their keys."""
        return [self._by_key[key].nick for key in self._keys[offset : offset + limit]]

    def page(self, offset: int, limit: int) -> Sequence[Member]:
        """As `nicks`."""
        return [self._by_key[key] for key in self._keys[offset : offset + limit]]

    def _take_name(self, member: Member) -> None:
        self._by_key[member.key] = member
        insort(self._keys, member.key)
        self.looks.add(member.nick, member.key)

    def _forget_name(self, member: Member) -> None:
        self.losses += 1
        del self._by_key[member.key]
        del self._keys[bisect_left(self._keys, member.key)]
        self.looks.remove(member.nick, member.key)
