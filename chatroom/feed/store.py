"""The newest messages, ready to be sent again."""

from __future__ import annotations

from collections.abc import Sequence


class BlockStore:
    """The newest blocks (messages with their length before them), at most so many and so large.

    A ring: adding and finding cost the same however much is kept.

    Args:
        keep: how many blocks.
        keep_bytes: how many bytes of them.
        next_sequence: the number that the first block will have.
    """

    def __init__(self, keep: int, keep_bytes: int, next_sequence: int) -> None:
        self._ring: list[bytes] = [b""] * keep
        self._keep_bytes = keep_bytes
        self._bytes = 0
        self.first_sequence = next_sequence  #: the oldest kept; with nothing kept, the next
        self.next_sequence = next_sequence

    def extend(self, sequence: int, blocks: Sequence[bytes]) -> None:
        """Add blocks from `sequence` on. After a jump in the numbers nothing older is kept."""
        if sequence != self.next_sequence:
            self.clear(sequence)
        for block in blocks:
            self._add(block)

    def clear(self, sequence: int) -> None:
        """Keep nothing; the next block will have that number."""
        while self.first_sequence < self.next_sequence:
            self._drop_first()
        self.first_sequence = self.next_sequence = sequence

    def _add(self, block: bytes) -> None:
        ring = self._ring
        if self.next_sequence - self.first_sequence == len(ring):
            if not ring:
                self.first_sequence = self.next_sequence = self.next_sequence + 1
                return
            self._drop_first()
        ring[self.next_sequence % len(ring)] = block
        self.next_sequence += 1
        self._bytes += len(block)
        while self._bytes > self._keep_bytes:
            self._drop_first()

    def _drop_first(self) -> None:
        slot = self.first_sequence % len(self._ring)
        self._bytes -= len(self._ring[slot])
        self._ring[slot] = b""
        self.first_sequence += 1

    def replace(self, sequence: int, block: bytes) -> None:
        """Put another block in the place of one that is kept."""
        slot = sequence % len(self._ring)
        self._bytes += len(block) - len(self._ring[slot])
        self._ring[slot] = block

    def get(self, sequence: int, limit: int) -> list[bytes]:
        """At most `limit` blocks from `sequence` on; none if that one is not kept."""
        if sequence < self.first_sequence:
            return []
        ring = self._ring
        stop = min(sequence + limit, self.next_sequence)
        return [ring[number % len(ring)] for number in range(sequence, stop)]
