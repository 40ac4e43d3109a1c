"""What holds in a room from its first moment on."""

from __future__ import annotations

import msgspec

from chatroom.room.bans import Ban


class Charter(msgspec.Struct, frozen=True):
    """The part of a room's state that outlives it."""

    #: There are accounts, and operators among them: the topic is theirs. Else it is everybody's.
    governed: bool = False
    owned: tuple[str, ...] = ()  #: the nicks of all accounts, which nobody else can have
    bans: tuple[Ban, ...] = ()
    topic: str = ""
    topic_seq: int = 0  #: the number of the event that set it
    topic_by: str = ""  #: who did
    topic_time: str = ""
    # These outlive only a log that is lost under a room that goes on, not the room's own end.
    moderated: bool = False
    mutes: tuple[tuple[str, str], ...] = ()  #: key of a nick, and until when
