"""The names of accounts: nobody else may have them, or one that looks like one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chatroom.room.lookalikes import Lookalikes


class Owned:
    """Keys of names, each an account's."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys: set[str] = set()
        self.looks = Lookalikes()
        for key in keys:
            self.add(key)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._keys))

    def add(self, key: str) -> None:
        """There is an account of this name."""
        if key not in self._keys:
            self._keys.add(key)
            self.looks.add(key, key)
