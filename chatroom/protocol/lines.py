"""What the sessions of line-based formats share: framing, and the bound on a turn."""

from __future__ import annotations

from collections.abc import Sequence

from chatroom.event import CloseReason
from chatroom.protocol.framing import LineSplitter, LineTooLong
from chatroom.protocol.requests import NOTHING, Draft, Ending, is_query, weight_of
from chatroom.protocol.session import Session, Wait
from chatroom.room.text import TextRules
from chatroom.settings import GROUP_WEIGHT, MAX_LINE_BYTES

#: Of a paste's empty lines nobody is to be slowed.
EMPTY_AS_ONE = 64


class LineSession:
    """See `chatroom.protocol.session.Session`. Lines are cut as they come and read as they are
    asked for, so that a flood costs the room one group at a time.
    """

    __slots__ = ("_lines", "_passed_over", "_splitter", "_too_long", "rules")

    wait: Wait | None = None
    successor: Session | None = None

    def __init__(self, rules: TextRules) -> None:
        self.rules = rules
        self._splitter = LineSplitter(MAX_LINE_BYTES)
        # The next one is last. An empty deque is 600 bytes, and nearly always it is empty.
        self._lines: list[bytes] = []
        self._too_long = False
        self._passed_over = 0  # empty lines that have not been counted

    def take_line(self, line: bytes, group: list[Draft]) -> None:
        """Add what a line that is not empty asks for."""
        raise AssertionError

    @property
    def pending(self) -> bool:
        return bool(self._lines) or self._too_long or self._passed_over >= EMPTY_AS_ONE

    def feed(self, chunk: bytes) -> None:
        try:
            lines = self._splitter.feed(chunk)
        except LineTooLong as error:
            lines, self._too_long = error.lines, True
        said = [line for line in reversed(lines) if line]
        self._passed_over += len(lines) - len(said)
        self._lines = said + self._lines

    def count_empty(self, group: list[Draft]) -> None:
        """Empty lines ask for nothing, and so many count as much as one that does."""
        times, self._passed_over = divmod(self._passed_over, EMPTY_AS_ONE)
        group += [NOTHING] * times

    def expire(self) -> None:
        """A line-based client may be silent as long as it likes."""

    def drafts(self) -> Sequence[Draft]:
        group: list[Draft] = []
        weight = 0
        self.count_empty(group)
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
