"""Those who have a name and are not in the room: they come in later, or have gone out again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chatroom.room.lookalikes import Lookalikes

if TYPE_CHECKING:
    from chatroom.room.members import Member


class Anteroom:
    """Names that are reserved, and for whom."""

    def __init__(self) -> None:
        self._by_who: dict[int, Member] = {}
        self._by_key: dict[str, Member] = {}
        self.looks = Lookalikes()  #: of those names

    def __len__(self) -> int:
        return len(self._by_who)

    def __contains__(self, who: int) -> bool:
        return who in self._by_who

    def __iter__(self) -> Iterator[Member]:
        return iter(self._by_who.values())

    def enter(self, member: Member) -> None:
        """`member` has its name reserved; nobody else may have it."""
        self._by_who[member.who] = self._by_key[member.key] = member
        self.looks.add(member.nick, member.key)

    def leave(self, who: int) -> Member:
        """Its name is free now. Raises `KeyError`."""
        member = self._by_who.pop(who)
        del self._by_key[member.key]
        self.looks.remove(member.nick, member.key)
        return member

    def of_who(self, who: int) -> Member:
        """Raises `KeyError`."""
        return self._by_who[who]

    def of_key(self, key: str) -> Member | None:
        """For whom the name is reserved."""
        return self._by_key.get(key)
