"""The format of connections that are told nothing of the room."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Silent:
    """Says nothing; see `chatroom.protocol.format.Format`. What such a connection is answered, its
    session says in replies.
    """

    name: str  #: of what is spoken there

    of_json = False
    ping = b""

    def event(self, event: object, block: bytes) -> bytes:
        return b""

    def answer(self, answer: object) -> bytes:
        return b""

    def frame(self, records: bytes) -> bytes:
        return records

    def bye(self, bye: object) -> bytes:
        return b""

    def boundary(self, sent: bytes, offset: int) -> int:
        return len(sent)
