"""The room's no, and why."""

from __future__ import annotations


class Refused(ValueError):
    """A request that cannot be granted: a code of the protocol, and a sentence for a person."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
