"""What takes the place of events that can't be had: a hole is always said."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Gap(msgspec.Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """The events `first` to `last` are missing, both included.

    It comes out of the same iteration as events, in the place of those that are missing, and has
    the attributes that a program looks at before it looks further (`kind`, `nick`, `text`), so
    that one which handles messages only need not know about it.
    """

    kind: ClassVar[str] = "gap"
    nick: ClassVar[str] = ""

    first: int
    last: int

    @property
    def text(self) -> str:
        """The hole in words."""
        count = self.last - self.first + 1
        if count == 1:
            return f"1 event is missing (#{self.first})"
        return f"{count} events are missing (#{self.first}-#{self.last})"
