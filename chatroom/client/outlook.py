"""What a client can hope for when it was not let in, or was shown out: one table of the codes."""

from __future__ import annotations

from enum import Flag, auto

from chatroom.client.errors import RoomError


class Outlook(Flag):
    """Where and when another try may go better."""

    NONE = 0  #: it would only be told the same
    LATER = auto()  #: here, in a while
    ELSEWHERE = auto()  #: now, at another server of the room: it is this one's own affair


_ANYWHERE = Outlook.LATER | Outlook.ELSEWHERE

#: The codes of refusals, the reasons of a bye, and what arises here.
OUTLOOKS = {
    "unreachable": _ANYWHERE,
    "lost": _ANYWHERE,
    "shutdown": _ANYWHERE,
    "idle": _ANYWHERE,
    "slow_reader": _ANYWHERE,
    "room_full": _ANYWHERE,
    "too_many_connections": _ANYWHERE,
    "unavailable": _ANYWHERE,
    "history_unavailable": _ANYWHERE,
    "too_fast": Outlook.LATER,
    "nick_taken": Outlook.LATER,
    "key_changed": Outlook.ELSEWHERE,
    "not_encrypted": Outlook.ELSEWHERE,
    # The server said to stay away, or one's own new connection has taken over: two that take the
    # nick from each other would never end.
    "quit": Outlook.NONE,
    "kicked": Outlook.NONE,
    "flood": Outlook.NONE,
    "replaced": Outlook.NONE,
    "protocol_error": Outlook.NONE,
}


def may_pass(error: RoomError) -> bool:
    """Whether it makes sense to ask for the same later: not what the table does not know."""
    return Outlook.LATER in OUTLOOKS.get(error.code, Outlook.NONE)


def is_its_own(error: RoomError) -> bool:
    """Whether a refusal is the server's own, and not the room's: another one may take one in."""
    return Outlook.ELSEWHERE in OUTLOOKS.get(error.code, Outlook.NONE)


def is_final(reason: str) -> bool:
    """Whether nobody comes back by itself after a bye with this reason: only where that is known.
    Who was inside is welcome, as far as anybody knows.
    """
    return OUTLOOKS.get(reason, Outlook.LATER) is Outlook.NONE
