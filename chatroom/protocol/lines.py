"""What the sessions of line-based formats share: framing, and the bound on a turn."""

from __future__ import annotations

from collections.abc import Sequence

from chatroom.event import CloseReason
from chatroom.protocol.framing import LineSplitter, LineTooLong
from chatroom.protocol.requests import Draft, Ending, is_query, weight_of
from chatroom.protocol.session import Session, Wait
from chatroom.room.text import TextRules
from chatroom.settings import GROUP_WEIGHT, MAX_LINE_BYTES


class LineSession:
    """See `chatroom.protocol.session.Session`. Lines are cut as they come and read as they are
    asked for, so that a flood costs the room one group at a time.
    """

    __slots__ = ("_lines", "_splitter", "_too_long", "rules")

    wait: Wait | None = None
    successor: Session | None = None

    def __init__(self, rules: TextRules) -> None:
        self.rules = rules
        self._splitter = LineSplitter(MAX_LINE_BYTES)
        # The next one is last. An empty deque is 600 bytes, and nearly always it is empty.
        self._lines: list[bytes] = []
        self._too_long = False

    def take_line(self, line: bytes, group: list[Draft]) -> None:
        """Add what a line that is not empty asks for."""
        raise AssertionError

    @property
    def pending(self) -> bool:
        return bool(self._lines) or self._too_long

    def feed(self, chunk: bytes) -> None:
        try:
            lines = self._splitter.feed(chunk)
        except LineTooLong as error:
            lines, self._too_long = error.lines, True
        self._lines = [line for line in reversed(lines) if line] + self._lines

    def expire(self) -> None:
        """A line-based client may be silent as long as it likes."""

    def drafts(self) -> Sequence[Draft]:
        group: list[Draft] = []
        weight = 0
        lines = self._lines
        while lines and weight < GROUP_WEIGHT:
            self.take_line(lines.pop(), group)
            last = group[-1]
            if is_query(last):
                return group
            weight += weight_of(last)
        if self._too_long and not lines and weight < GROUP_WEIGHT:
            self._too_long = False
            text = f"a line has more than {MAX_LINE_BYTES} bytes and no end"
            group.append(Ending(CloseReason.PROTOCOL_ERROR, text))
        return group
