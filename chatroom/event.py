"""What happens in a room, and its JSON.

An event is numbered once and is the same event on every way in: `Event` is what the room makes,
what the journal keeps, what every rendering is made from and what a client gets back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

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


#: Kinds that tell who is here; a client that says `"presence":false` does not get them.
PRESENCE_KINDS = frozenset({"join", "leave", "rename"})


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One numbered event of a room.

    The order of the fields is the order of the keys in JSON, and fields that the kind does not
    have are empty and left out. `gc=False`: an event holds no container, so the garbage collector
    need not visit the many that a room keeps.
    """

    seq: int  #: 1, 2, 3, … without a hole within a session
    time: str  #: the server's clock, UTC, microseconds, as `utc_now` writes it
    kind: str  #: message, action, join, leave or rename
    nick: str
    text: str = ""  #: of a message or an action
    to: str = ""  #: of a rename: the new nick
    reason: str = ""  #: of a leave: a `CloseReason`


class Gap(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    tag="gap",
    rename={"first": "from", "last": "to"},
    gc=False,
):
    """What stands in history where events are missing: a hole is always said.

    It has no number itself.
    """

    first: int  #: the first missing number
    last: int  #: the last one


#: The JSON of an event or a gap, UTF-8, without newline. Never raises for what a room made.
encode_event = msgspec.json.Encoder().encode

#: An event from its JSON; keys that it does not know are ignored. Raises `msgspec.MsgspecError`.
decode_event = msgspec.json.Decoder(Event).decode


def utc_now() -> str:
    """The time of day as events carry it: `2026-11-22T13:17:42.123456Z`."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
