"""The newest messages, ready to be sent again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice


class BlockStore:
    """The newest blocks (messages with their length before them), at most so many and so large.

    Args:
        keep: how many blocks.
        keep_bytes: how many bytes of them.
        next_sequence: the number that the first block will have.
    """

    def __init__(self, keep: int, keep_bytes: int, next_sequence: int) -> None:
        self._keep = keep
        self._keep_bytes = keep_bytes
        self._blocks: deque[bytes] = deque()
        self._bytes = 0
        self.next_sequence = next_sequence

    @property
    def first_sequence(self) -> int:
        """The oldest number kept; with nothing kept, the one that will come next."""
        return self.next_sequence - len(self._blocks)

    def extend(self, sequence: int, blocks: Sequence[bytes]) -> None:
        """Add blocks from `sequence` on. After a jump in the numbers nothing older is kept."""
        if sequence != self.next_sequence:
            self._blocks.clear()
            self._bytes = 0
        self._blocks.extend(blocks)
        self._bytes += sum(map(len, blocks))
        self.next_sequence = sequence + len(blocks)
        while len(self._blocks) > self._keep or self._bytes > self._keep_bytes:
            self._bytes -= len(self._blocks.popleft())

    def get(self, sequence: int, limit: int) -> list[bytes]:
        """At most `limit` blocks from `sequence` on; none if that one is not kept."""
        start = sequence - self.first_sequence
        if start < 0:
            return []
        stop = min(start + limit, len(self._blocks))
        if start > len(self._blocks) // 2:  # a deque is walked from its nearer end
            tail = list(islice(reversed(self._blocks), len(self._blocks) - start))
            return tail[::-1][: stop - start]
        return list(islice(self._blocks, start, stop))
