"""Who has come to the wrong port: protocols that are not spoken here, told so and let go.

Nothing that they say reaches the room: a TLS hello or an SSH banner is no talk.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chatroom.event import CloseReason
from chatroom.protocol.requests import Draft, Ending, Reply, Speaks
from chatroom.protocol.session import Session, Visit, Wait, first_line
from chatroom.protocol.silent import Silent
from chatroom.settings import MAX_LINE_BYTES

if TYPE_CHECKING:
    from chatroom.room.refused import Refused

#: A TLS record: an alert (21) of TLS 1.0's version, two bytes long: fatal (2), protocol_version
#: (70). RFC 8446, section 6: what a client is told that cannot be served.
_TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"

#: access_denied (49): what a client is told that could be served, and is turned away.
_TLS_DENIED = b"\x15\x03\x01\x00\x02\x02\x31"

_SPOKEN = b"-- this port speaks plain text, JSON Lines, IRC, HTTP and WebSocket (chatroom)\n"

#: A control byte that no person's first line has: TAB is typed, CR ends lines.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\r(?=[^\n])")


class ForeignSession:
    """Answers with one line of its own, and ends. See `chatroom.protocol.session.Session`."""

    __slots__ = ("_drafts",)

    wait: Wait | None = None
    successor: Session | None = None

    def __init__(self, line: bytes, text: str) -> None:
        ending = Ending(CloseReason.PROTOCOL_ERROR, text)
        self._drafts: list[Draft] = [Speaks(Silent("foreign")), Reply(line), ending]

    @property
    def pending(self) -> bool:
        return bool(self._drafts)

    def feed(self, chunk: bytes) -> None:
        """Whatever it says is passed over."""

    def expire(self) -> None:
        """It has been answered already."""

    def drafts(self) -> Sequence[Draft]:
        drafts, self._drafts = self._drafts, []
        return drafts


class TlsWay:
    """See `chatroom.protocol.session.WayIn`. A TLS hello where TLS is not configured."""

    name = "tls"
    late = False

    def claims(self, head: bytes) -> bool | None:
        return head[0] == 0x16

    def open(self, visit: Visit, *, entered: bool) -> ForeignSession:
        return ForeignSession(_TLS_ALERT, "a TLS hello, and TLS is not configured")

    def turn_away(self, refused: Refused) -> bytes:
        # No word can be said before the handshake, which is the expensive part of a newcomer.
        return _TLS_DENIED


class BinaryWay:
    """See `chatroom.protocol.session.WayIn`. SSH, SOCKS, TURN and whatever else is no text."""

    name = "foreign"
    late = False

    def claims(self, head: bytes) -> bool | None:
        if _CONTROL.search(head, 0, _line_end(head)) or head.startswith(b"SSH-"):
            return True
        return None if first_line(head) is None else False

    def open(self, visit: Visit, *, entered: bool) -> ForeignSession:
        return ForeignSession(_SPOKEN, "the first line is none of a protocol that is spoken here")

    def turn_away(self, refused: Refused) -> bytes:
        return _SPOKEN


def _line_end(head: bytes) -> int:
    """Where the first line ends, behind its LF."""
    line = first_line(head)
    return min(len(head), MAX_LINE_BYTES + 1) if line is None else len(line) + 1
