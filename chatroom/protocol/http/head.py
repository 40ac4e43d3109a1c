"""The head of a request: its request line and headers, found in the bytes and strictly checked.

HTTP's tolerance is what smuggling lives on: two readers of the same bytes that disagree where a
request ends. RFC 9112 lets a server take a bare LF for a line's end and unfold folded lines; this
one refuses whatever a proxy might read in another way.
"""

from __future__ import annotations

import re

from chatroom.settings import MAX_HEADER_BYTES, MAX_LINE_BYTES

#: A line's content: no control byte but TAB, so no bare CR or LF either.
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class BadRequest(ValueError):
    """A request that is answered with `status`, after which the connection is closed."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class HeadBuffer:
    """Bytes of which heads are taken. What comes out depends only on the bytes."""

    __slots__ = ("_data", "_header_start", "_line_start")

    def __init__(self) -> None:
        self._data = b""
        self._clear()

    def _clear(self) -> None:
        self._line_start = 0  # up to here the lines have been looked at
        self._header_start = 0  # where the request line ends; 0: it has not

    def __bool__(self) -> bool:
        return bool(self._data)

    def feed(self, chunk: bytes) -> None:
        """More bytes."""
        self._data += chunk

    def rest(self) -> bytes:
        """All that is left."""
        rest, self._data = self._data, b""
        self._clear()
        return rest

    def take(self) -> bytes | None:
        """The next head, with the empty line that ends it; None while that has not come. Raises
        `BadRequest`; the buffer is of no further use then.
        """
        if not self._line_start:
            # RFC 9112, section 2.2: some clients send an empty line before a request.
            self._data = self._data.lstrip(b"\r\n")
        while True:
            end = self._data.find(b"\n", self._line_start)
            self._check_length(len(self._data) if end < 0 else end + 1)
            if end < 0:
                return None
            line = self._data[self._line_start : end]
            self._check_line(line)
            self._line_start = end + 1
            if line == b"\r":
                break
            self._header_start = self._header_start or self._line_start
        head, self._data = self._data[: self._line_start], self._data[self._line_start :]
        self._clear()
        return head

    def _check_length(self, end: int) -> None:
        """`end`: up to here there are bytes of this line, or it ends there."""
        if not self._header_start:
            if end > MAX_LINE_BYTES + len(b"\r\n"):
                raise BadRequest(414, f"The request line has more than {MAX_LINE_BYTES} bytes.")
        elif end - self._header_start > MAX_HEADER_BYTES + len(b"\r\n"):
            raise BadRequest(431, f"The headers have more than {MAX_HEADER_BYTES} bytes.")

    def _check_line(self, line: bytes) -> None:
        if not line.endswith(b"\r"):
            raise BadRequest(400, "A line ends in a bare LF.")
        if _CONTROL.search(line, 0, len(line) - 1):
            raise BadRequest(400, "A line has a control character in it.")
        if line[0] in b" \t":
            raise BadRequest(400, "A header line is folded, or there is none.")
