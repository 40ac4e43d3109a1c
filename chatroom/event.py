"""What happens in a room, and its JSON.

An event is numbered once and is the same event on every way in: `Event` is what the room makes,
what the journal keeps, what every rendering is made from and what a client gets back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from time import time_ns
from typing import ClassVar

import msgspec


class CloseReason(StrEnum):
    """Why a connection ended: the same word in the event, the last line, the log, the counters."""

    QUIT = "quit"  # the client said /quit, or closed its side in good order
    LOST = "lost"  # reset, timed out or unreachable
    SLOW_READER = "slow_reader"  # its outbox grew over the limit or did not move in time
    IDLE = "idle"
    FLOOD = "flood"
    KICKED = "kicked"
    REPLACED = "replaced"  # its owner came back with the token and took the nick
    PROTOCOL_ERROR = "protocol_error"
    SHUTDOWN = "shutdown"


#: What can happen in a room.
EVENT_KINDS = frozenset({"message", "action", "join", "leave", "rename", "topic", "redaction"})

#: Kinds that tell who is here; a client that says `"presence":false` does not get them.
PRESENCE_KINDS = frozenset({"join", "leave", "rename"})


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One numbered event of a room.

    The order of the fields is the order of the keys in JSON, and fields that the kind does not
    have are empty and left out. `gc=False`: an event holds no container, so the garbage collector
    need not visit the many that a room keeps.
    """

    seq: int  #: 1, 2, 3, … without a hole within a session
    time: str  #: the server's clock, UTC, microseconds, as `Clock` writes it
    kind: str  #: one of `EVENT_KINDS`
    nick: str
    #: Of a message, an action or a topic; empty where it was redacted (or where the room has no
    #: topic any more). Of a leave: what the operator said who ended it, or else whoever left.
    text: str = ""
    to: str = ""  #: of a rename: the new nick
    reason: str = ""  #: of a leave: a `CloseReason`
    by: str = ""  #: of a leave: the operator who ended it
    of: int = 0  #: of a redaction: the number of the event whose text is no longer given out
    #: Of a message: nobody is to answer it by a program (IRC's NOTICE), so that no two ever talk to
    #: each other for ever.
    notice: bool = False
    part: bool = False  #: of a leave: the connection goes on, without hearing the room


class Gap(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    tag="gap",
    rename={"first": "from", "last": "to"},
    gc=False,
):
    """What stands where events are missing: a hole is always said.

    It has no number itself. It has the attributes that a reader of events looks at before it looks
    further (`kind`, `nick`, `text`), so that one which handles messages only need not know of it.
    """

    kind: ClassVar[str] = "gap"
    nick: ClassVar[str] = ""

    first: int  #: the first missing number
    last: int  #: the last one

    @property
    def text(self) -> str:
        """The hole in words."""
        return f"a gap: #{self.first} to #{self.last} are missing"


#: The JSON of an event or a gap, UTF-8, without newline. Never raises for what a room made.
encode_event = msgspec.json.Encoder().encode

#: An event from its JSON; keys that it does not know are ignored. Raises `msgspec.MsgspecError`.
decode_event = msgspec.json.Decoder(Event).decode


def without_text(event: Event) -> Event:
    """The event as it stands in the history after its redaction."""
    return msgspec.structs.replace(event, text="")


class Clock:
    """Tells the time of day as events carry it: `2026-11-22T13:17:42.123456Z`."""

    def __init__(self, time_ns: Callable[[], int] = time_ns) -> None:
        self._time_ns = time_ns
        self._second = -1
        self._prefix = ""

    def utc_now(self) -> str:
        """The time, UTC, in microseconds.

        The date and the second are written once a second: `strftime` takes 5 µs, this a tenth, and
        it stands on the way of every message in an idle room.
        """
        second, rest_ns = divmod(self._time_ns(), 1_000_000_000)
        if second != self._second:
            self._second = second
            self._prefix = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
        return f"{self._prefix}.{rest_ns // 1000:06d}Z"
