"""Whether a silent peer is there still: it is asked, and given up if nothing comes."""

from __future__ import annotations

from chatroom.event import CloseReason
from chatroom.protocol.requests import Draft, Ending, Reply
from chatroom.protocol.session import Wait
from chatroom.protocol.websocket.frames import PING, frame
from chatroom.settings import PING_SECONDS


class Pulse:
    """A ping after PING_SECONDS of silence, and the end after as many more."""

    __slots__ = ("_pinged", "wait")

    def __init__(self) -> None:
        self.heard()

    def heard(self) -> None:
        """Something has come."""
        self._pinged = False
        self.wait = Wait(PING_SECONDS)

    def expire(self) -> Draft:
        """`wait` has passed: what is to be done."""
        self.wait = Wait(PING_SECONDS)
        if self._pinged:
            text = f"{2 * PING_SECONDS:g} seconds of silence, and no answer to a ping"
            return Ending(CloseReason.LOST, text)
        self._pinged = True
        return Reply(frame(PING, b""))
