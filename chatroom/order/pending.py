"""What a server has appended and not read back: it is written again until it comes back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

#: A second of 100 busy talkers is less than a tenth. What does not fit is refused, not kept.
PENDING_LIMIT_BYTES = 4 * 1024 * 1024


class Waiting(NamedTuple):
    """An entry under way."""

    counter: int
    data: bytes
    since: float  #: when it was appended, by the clock of whoever appended it


class Pending:
    """One epoch's entries, in their order, from the append to the reading back."""

    def __init__(self) -> None:
        self._entries: deque[Waiting] = deque()
        self.size_bytes = 0
        self.last = 0  #: the last counter given out

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._entries)

    @property
    def is_full(self) -> bool:
        """Nothing more is to be added before something comes back."""
        return self.size_bytes >= PENDING_LIMIT_BYTES

    @property
    def oldest_since(self) -> float | None:
        """Since when the oldest is under way; None: nothing is."""
        return self._entries[0].since if self._entries else None

    def add(self, data: bytes, since: float) -> None:
        """The entry with the counter after the last."""
        self.last += 1
        self._entries.append(Waiting(self.last, data, since))
        self.size_bytes += len(data)

    def confirm(self, counter: int) -> float | None:
        """It came back. Returns since when it was under way; None: it was not."""
        if not self._entries or self._entries[0].counter != counter:
            return None
        waiting = self._entries.popleft()
        self.size_bytes -= len(waiting.data)
        return waiting.since

    def begin_again(self) -> None:
        """A new epoch: whatever was under way never counts."""
        self._entries.clear()
        self.size_bytes = self.last = 0
