"""What can be asked of a room, and what comes of it.

A command brings all that deciding needs: the time and the random numbers too. So the same commands
in the same order make the same events, in another process and on another day (Schneider,
"Implementing fault-tolerant services using the state machine approach", 1990).
"""

from __future__ import annotations

import msgspec

from chatroom.event import CloseReason, Event
from chatroom.room.refused import Refused


class Join(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """Somebody comes in."""

    who: int  #: the newcomer: a number that no one else has, ever
    time: str  #: as `chatroom.event.Clock` writes it, in every command
    nick: str | None  #: None: a guest's name
    token: str  #: by which the newcomer can prove later that the name is its own
    claim: str | None = None  #: the token of an earlier join, which entitles to that nick


class Say(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """A message or an action; `text` is safe and within its bounds."""

    who: int
    time: str
    kind: str
    text: str


class Rename(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """A member wants another name."""

    who: int
    time: str
    nick: str | None  #: None: the one that the claim entitles to, if it does
    claim: str | None = None


class Leave(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """A member is gone."""

    who: int
    time: str
    reason: CloseReason


class Close(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """The room goes down: leaves are not announced any more, there is nobody left to hear them."""

    time: str


Command = Join | Say | Rename | Leave | Close


class Outcome(msgspec.Struct, frozen=True):
    """What came of a command."""

    event: Event | None = None  #: None: nothing that is announced
    refused: Refused | None = None  #: then nothing has changed
    replaced: int | None = None  #: who had to leave for it, being the same person
    replaced_event: Event | None = None  #: that leave, numbered before `event`
