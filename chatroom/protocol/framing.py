"""Lines out of a stream of bytes, however it is cut."""

from __future__ import annotations


class LineTooLong(ValueError):
    """A line has no end within the limit. `lines` are the whole ones before it."""

    def __init__(self, lines: list[bytes]) -> None:
        super().__init__("a line has no end within the limit")
        self.lines = lines


class LineSplitter:
    """Cuts a stream at LF; the CR of a CR LF goes too.

    What comes out depends only on the bytes, never on how they were cut into chunks.
    """

    __slots__ = ("_limit_bytes", "_tail")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._tail = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes, without their ends.

        Raises `LineTooLong` as soon as a line has more than `limit_bytes` before its LF; the
        splitter is of no further use then.
        """
        if self._tail:
            chunk = self._tail + chunk
        lines = chunk.split(b"\n")
        self._tail = lines.pop()
        if len(chunk) > self._limit_bytes:
            self._check(lines)
        if b"\r" in chunk:
            lines = [line.removesuffix(b"\r") for line in lines]
        return lines

    def _check(self, lines: list[bytes]) -> None:
        for index, line in enumerate([*lines, self._tail]):
            if len(line) > self._limit_bytes:
                whole = [good.removesuffix(b"\r") for good in lines[:index]]
                raise LineTooLong(whole)
