"""The names of accounts: nobody else may have them, or one that looks like one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chatroom.room.lookalikes import Lookalikes
from chatroom.room.nick import NickInvalid, key_of_account


class Owned:
    """Names of accounts, by their keys. What is none is passed over."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names: dict[str, str] = {}
        self.looks = Lookalikes()
        for name in names:
            self.add(name)

    def __contains__(self, key: str) -> bool:
        return key in self._names

    def __iter__(self) -> Iterator[str]:
        """The names, in the order of their keys."""
        return (self._names[key] for key in sorted(self._names))

    def name(self, key: str) -> str:
        """The account's name as it was given; its key, if there is no such account."""
        return self._names.get(key, key)

    def add(self, name: str) -> None:
        """There is an account of this name."""
        try:
            key = key_of_account(name)
        except NickInvalid:
            return
        if key and key not in self._names:
            self._names[key] = name
            self.looks.add(key, key)
