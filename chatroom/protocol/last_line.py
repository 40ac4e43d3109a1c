"""What is said to a client that is turned away before it has a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatroom.protocol.opening import claimant
from chatroom.protocol.plain.session import PlainWay
from chatroom.protocol.ways import WAYS
from chatroom.settings import MAX_LINE_BYTES

if TYPE_CHECKING:
    from chatroom.room.refused import Refused


def last_line(head: bytes, refused: Refused) -> bytes | None:
    """Why a client is not let in, in the format that it begins with; None while that cannot be said
    before more has come.
    """
    head = head.lstrip(b"\r\n")
    if not head:
        return None
    way, undecided = claimant(head, WAYS)
    if way is not None:
        return way.turn_away(refused)
    if undecided and len(head) <= MAX_LINE_BYTES:
        return None
    return plain_last_line(refused)


def plain_last_line(refused: Refused) -> bytes:
    """The same, to a client that says nothing."""
    return PlainWay().turn_away(refused)
