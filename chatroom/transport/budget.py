"""What all outboxes together may keep in memory for readers that do not read."""

from __future__ import annotations

from typing import Protocol


class Holder(Protocol):
    """An outbox, as the budget sees it."""

    @property
    def own_bytes(self) -> int:
        """How much it keeps that no other outbox shares: at most, where that can't be told."""

    def drop_out(self, text: str) -> None:
        """Let go of what is kept; `text` says why to the reader. In Trio's thread."""


class Budget:
    """A bound on the memory of all outboxes together.

    What everybody hears is one byte string that all outboxes share: of that the readers together
    keep no more than the furthest behind does, which its own limit bounds. What is made for one
    reader (answers, replays, a talker's batch without its own lines) is its own, and 2,000 readers
    that ask for history and read none of it kept 1.9 GB.

    It is weighed each time an eighth of it has been kept anew, so keeping costs an addition.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._step_bytes = limit_bytes // 8
        self._unweighed_bytes = 0
        self._holders: set[Holder] = set()

    def __len__(self) -> int:
        """How many keep something, or have since they were last seen to keep nothing."""
        return len(self._holders)

    def keep(self, holder: Holder, size_bytes: int) -> None:
        """`holder` keeps so much more of its own. In Trio's thread; may make anyone drop out, also
        `holder` itself.
        """
        self._holders.add(holder)
        self._unweighed_bytes += size_bytes
        if self._unweighed_bytes >= self._step_bytes:
            self._weigh()

    def forget(self, holder: Holder) -> None:
        """`holder` keeps nothing any more. In Trio's thread."""
        self._holders.discard(holder)

    def total_bytes(self) -> int:
        """What is kept now; walks over all that keep something."""
        return sum(holder.own_bytes for holder in self._holders)

    def _weigh(self) -> None:
        self._unweighed_bytes = 0
        total_bytes = self.total_bytes()
        if total_bytes + self._step_bytes <= self._limit_bytes:
            return
        text = "the server keeps too much for those who do not read, and most of it for you"
        for holder in sorted(self._holders, key=lambda holder: holder.own_bytes, reverse=True):
            if total_bytes <= self._limit_bytes * 3 // 4:
                return
            total_bytes -= holder.own_bytes
            holder.drop_out(text)
