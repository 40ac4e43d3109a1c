"""What can be asked of a room, and what comes of it.

A command brings all that deciding needs: the time and the random numbers too. So the same commands
in the same order make the same events, in another process and on another day (Schneider,
"Implementing fault-tolerant services using the state machine approach", 1990).
"""

from __future__ import annotations

import msgspec

from chatroom.event import CloseReason, Event
from chatroom.room.refused import Refused
from chatroom.room.role import Role


class Join(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """Somebody comes in."""

    who: int  #: the newcomer: a number that no one else has, ever
    time: str  #: as `chatroom.event.Clock` writes it, in every command
    nick: str | None  #: None: the account's, or a guest's name
    token: str  #: by which the newcomer can prove later that the name is its own
    claim: str | None = None  #: the token of an earlier join, which entitles to that nick
    account: str = ""  #: the name of the account that it has proven to be its own
    role: Role = Role.MEMBER
    address: str = ""  #: where it comes from; empty: from this machine, or not to be told
    told: bool = True  #: the others are told; False: an `Announce` is to follow


class Announce(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """The others are told now of a `Join` that they were not told of. Who is no member any more is
    passed over.
    """

    who: int
    time: str


class Reserve(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """Somebody takes a name, and does not come in yet: the `Join` that follows enters under it, and
    only its token counts.
    """

    who: int
    time: str
    nick: str | None  #: None: the account's, or a guest's name
    account: str = ""  #: this and the rest as in `Join`
    role: Role = Role.MEMBER
    address: str = ""


class Say(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """A message or an action; `text` is safe and within its bounds."""

    who: int
    time: str
    kind: str
    text: str
    notice: bool = False


class Rename(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """A member wants another name."""

    who: int
    time: str
    nick: str | None  #: None: the one that the claim entitles to, if it does
    claim: str | None = None


class LogIn(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """Somebody has proven that an account is its own. A member gets its nick, unless it keeps the
    one that it has; who has only a name keeps it always.
    """

    who: int
    time: str
    account: str
    role: Role
    keeps_nick: bool = False


class Leave(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """A member is gone, or somebody who had a name reserved."""

    who: int
    time: str
    reason: CloseReason
    text: str = ""  #: what it says of it, if it may talk; as in `Say`, or empty
    part: bool = False  #: it keeps its name, as after a `Reserve`


class Close(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """The room goes down: leaves are not announced any more, there is nobody left to hear them."""

    time: str


class Topic(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """What the room is about; `text` as in `Say`, or empty: it has no topic any more."""

    who: int | None  #: in this and all that follow None is the administrator of the machine
    time: str
    text: str


class Kick(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """A member is to go."""

    who: int | None
    time: str
    nick: str
    text: str = ""  #: the reason


class Impose(msgspec.Struct, frozen=True, gc=False, tag="ban"):
    """Whoever it concerns is to go, and to stay away: a ban."""

    who: int | None
    time: str
    mask: str
    until: str = ""  #: a time; empty: for ever
    text: str = ""


class Lift(msgspec.Struct, frozen=True, gc=False, tag="unban"):
    """A ban is over."""

    who: int | None
    time: str
    mask: str


class Mute(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """A name, and whoever has it, may not talk."""

    who: int | None
    time: str
    nick: str
    until: str = ""


class Unmute(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """A name may talk again."""

    who: int | None
    time: str
    nick: str


class Moderate(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """From now on only operators and who has voice may talk; or that is over."""

    who: int | None
    time: str
    on: bool


class Voice(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """A member may talk while the room is moderated, or may not any more."""

    who: int | None
    time: str
    nick: str
    on: bool


class Redact(msgspec.Struct, frozen=True, gc=False, tag=str.lower):
    """What an event said is not to be given out any more."""

    who: int | None
    time: str
    of: int
    text: str = ""  #: the reason


class Own(msgspec.Struct, frozen=True, tag=str.lower):
    """These accounts there are, and no others: their nicks are theirs, their roles may be new, and
    whoever is here by another one is to go.
    """

    time: str
    accounts: tuple[tuple[str, Role], ...]  #: nick and role of each


Command = (
    Join
    | Announce
    | Reserve
    | Say
    | Rename
    | LogIn
    | Leave
    | Close
    | Topic
    | Kick
    | Impose
    | Lift
    | Mute
    | Unmute
    | Moderate
    | Voice
    | Redact
    | Own
)


class Removed(msgspec.Struct, frozen=True):
    """Somebody who had to go."""

    who: int
    reason: CloseReason
    event: Event | None = None  #: the leave, numbered before the outcome's own event
    text: str = ""  #: why, for the last line


class Outcome(msgspec.Struct, frozen=True):
    """What came of a command."""

    event: Event | None = None  #: None: nothing that is announced
    refused: Refused | None = None  #: then nothing has changed
    removed: tuple[Removed, ...] = ()
    concerns: tuple[int, ...] = ()  #: members that are to be told of it, beside all others
    masks: tuple[str, ...] = ()  #: what was banned beside the nick that was asked for
