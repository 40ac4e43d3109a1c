"""What the kernel has not taken yet, of one reader. Sans I/O."""

from __future__ import annotations

from collections import deque
from itertools import islice

from chatroom.transport.outbox import Boundary

#: Chunks offered to one `sendmsg`: well under IOV_MAX (1024), and more than a socket takes.
GATHER_CHUNKS = 64


class Backlog:
    """A queue of bytes that came as whole records and leave as the kernel likes.

    Batches are kept as they came, so a hundred readers that are behind share one copy of each.
    """

    __slots__ = ("_chunks", "_offset", "size_bytes", "taken_bytes")

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._offset = 0  # into the first chunk
        self.size_bytes = 0
        self.taken_bytes = 0  #: ever

    def add(self, chunk: bytes, offset: int = 0) -> None:
        """Whole records; with `offset`, that many bytes of the first chunk have left already."""
        if not self._chunks:
            self._offset = offset
        self._chunks.append(chunk)
        self.size_bytes += len(chunk) - offset

    def head(self) -> list[bytes | memoryview]:
        """The next bytes to send, in buffers, in order."""
        buffers: list[bytes | memoryview] = list(islice(self._chunks, GATHER_CHUNKS))
        if self._offset:
            buffers[0] = memoryview(self._chunks[0])[self._offset :]
        return buffers

    def take(self, count_bytes: int) -> None:
        """The kernel took this much of the head."""
        self.size_bytes -= count_bytes
        self.taken_bytes += count_bytes
        count_bytes += self._offset
        while self._chunks and count_bytes >= len(self._chunks[0]):
            count_bytes -= len(self._chunks.popleft())
        self._offset = count_bytes

    def cut_to(self, last: bytes, boundary: Boundary, begun_bytes: int = 0) -> None:
        """Forget what waits, but for the record that has begun to leave; `last` is next. See
        `chatroom.transport.contract.Transport.begun_bytes`.
        """
        rest = b""
        begun_bytes += self._offset
        if begun_bytes:
            rest = self._begun(begun_bytes, boundary)
        self.clear()
        self.add(rest + last)

    def clear(self) -> None:
        """Forget all that waits. Takes no memory."""
        self._chunks.clear()
        self._offset = self.size_bytes = 0

    def _begun(self, begun_bytes: int, boundary: Boundary) -> bytes:
        """What is left of the chunks up to the boundary behind so many bytes of them."""
        rest, offset = b"", self._offset
        for chunk in self._chunks:
            if begun_bytes < len(chunk):
                return rest + chunk[offset : boundary(chunk, begun_bytes)]
            rest += chunk[offset:]
            begun_bytes -= len(chunk)
            offset = 0
            if not begun_bytes:
                break
        return rest
