"""What a client can ask for, in whichever format it said it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from chatroom.event import CloseReason
from chatroom.protocol.answers import Lines, Slowed
from chatroom.protocol.format import Format, Speaker
from chatroom.protocol.people import Card
from chatroom.room.refused import Refused
from chatroom.room.role import Role
from chatroom.settings import MAX_ID_CHARS, MAX_PAGE, RENAME_WEIGHT, WEIGHT_CHARS

RequestId = Annotated[str, msgspec.Meta(max_length=MAX_ID_CHARS)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

#: Of a ban or a mute: ten years are for ever.
Seconds = Annotated[int, msgspec.Meta(ge=1, le=10 * 366 * 86_400)]


class Speaks(msgspec.Struct, frozen=True, gc=False):
    """From here on the client is spoken to in this format. It may be in the room already."""

    format: Format
    own: frozenset[str] = frozenset()  #: kinds of its own events that it wants back
    speaker: Speaker | None = None  #: who renders its answers; None: the format
    goes_on: bool = False  #: it hears the room as before, without another hello


class Credentials(msgspec.Struct, frozen=True):
    """By which somebody proves to be allowed in. It stands in no log: its `repr` says nothing."""

    secret: str = ""  #: the room's
    account: str = ""  #: a name, with its password
    password: str = ""
    #: The fingerprint of the one that was shown in the TLS handshake; `account` may be left out.
    certificate: str = ""

    def __repr__(self) -> str:
        return "Credentials(…)"


class Hello(msgspec.Struct, frozen=True):
    """The wish to enter, or, of somebody who is in the room, to go on under another format."""

    nick: str | None = None  #: None: a guest's name
    after: Number | None = None  #: resume: every event above this number comes first
    session: str | None = None  #: the session that `after` counts in; None: the present one
    token: str | None = None  #: proves that a nick held by a dead connection is one's own
    #: A program must know whether it has the name it wanted: it is not let in otherwise. A person
    #: is told, and is a guest.
    strict: bool = True
    credentials: Credentials | None = None
    outside: Outside | None = None  #: it wants a name, and is not to be in the room yet
    listens: bool = (
        False  #: it wants to know where the feed is, and what opens it, and nothing else
    )


class Outside(msgspec.Struct, frozen=True):
    """What goes with the wish for a name alone, which is answered with `Registered`."""

    card: Card
    id: RequestId
    #: It is no name that is wanted, only to log in. Answered with `LoggedIn`; what is proven holds
    #: for the hello that follows or, where there is a name already, from now on.
    only_log_in: bool = False


class Proven(msgspec.Struct, frozen=True):
    """What has come of a hello's credentials. No session says this: the server does."""

    hello: Hello
    account: str = ""  #: the nick of the account; empty: a guest
    role: Role = Role.MEMBER
    refused: Refused | None = None  #: then they prove nothing


class Enter(msgspec.Struct, frozen=True, gc=False):
    """Who has a name comes in. Answered with a welcome."""

    id: RequestId


class Part(msgspec.Struct, frozen=True, gc=False):
    """A member goes out, and keeps its name. Answered with `Parted`."""

    text: str
    id: RequestId


class Introduce(msgspec.Struct, frozen=True, gc=False):
    """The client says something else of itself from here on."""

    card: Card


class Sign(msgspec.Struct, frozen=True, gc=False):
    """Something that all are told whose formats have it, and that is no event: see `Tagged`."""

    tags: str
    id: RequestId | None = None


class Answered(msgspec.Struct, frozen=True, gc=False):
    """What is answered before the room is asked, by the session itself or by the intake; it keeps
    its place among the room's answers.
    """

    answer: Lines | Slowed


class BadHello(msgspec.Struct, frozen=True):
    """A hello that cannot be read: it is answered, and the connection is closed."""

    code: str
    text: str


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Bytes that answer the client at once, whole and framed: what a protocol says below the room
    (a 101, a PONG, a page). They are no part of the room's order.
    """

    data: bytes
    count: int = 1  #: of what it answers


#: For what asks for nothing: it counts for a turn, so that a flood of it has its bounds.
NOTHING = Reply(b"")


class Request(msgspec.Struct, frozen=True, gc=False):
    """One request, with the fields that its kind needs; the rest is left at the default."""

    #: message, action, rename, topic, ping, quit, invite, mark, the
    #: `QUERY_KINDS` and the `OPERATOR_KINDS`
    kind: str
    text: str = ""
    to: str = ""
    id: RequestId | None = None
    after: Number | None = None  #: of a history: events above this number
    before: Number | None = None  #: of a history: events below it
    limit: Number | None = None  #: of a history: how many events; of a who: how many names
    offset: Number = 0  #: of a who, of people or of bans: how many to pass over
    nick: str = ""  #: of a kick, a mute, a voice and their opposites: whose
    mask: str = ""  #: of a ban or an unban: see `chatroom.room.bans`
    seconds: Seconds | None = None  #: of a ban or a mute: for how long; None: for ever
    of: Number = 0  #: of a redact: the number of the event
    notice: bool = False  #: of a message: no program is to answer it


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """A request that was refused as it was read; its answer keeps its place among the others."""

    code: str
    text: str
    id: str | None = None


class Ending(msgspec.Struct, frozen=True, gc=False):
    """Nothing more can be read from this client."""

    reason: CloseReason
    text: str


#: What a connection hands to the broadcaster.
Draft = (
    Speaks
    | Hello
    | Proven
    | BadHello
    | Request
    | Refusal
    | Reply
    | Ending
    | Enter
    | Part
    | Introduce
    | Sign
    | Answered
)

#: Requests whose answers can be long: one at a time, the next is read when it has been answered.
QUERY_KINDS = frozenset({"who", "people", "history", "search", "help", "bans"})

#: Requests that only operators may make, beside `bans`.
OPERATOR_KINDS = frozenset(
    {
        *("kick", "ban", "unban", "mute", "unmute", "redact"),
        *("moderate", "unmoderate", "voice", "unvoice"),
    }
)


def is_query(draft: Draft) -> bool:
    """Whether what comes after `draft` waits until it has been answered."""
    if type(draft) is Request:
        return draft.kind in QUERY_KINDS
    return type(draft) is Enter or (
        type(draft) is Hello
        and (draft.after is not None or draft.credentials is not None or draft.outside is not None)
    )


_HEAVY = frozenset({"rename", "people"})


def weight_of(draft: Draft) -> int:
    """What `draft` counts for in what one turn takes: see `settings.GROUP_WEIGHT`."""
    if type(draft) is not Request:
        return 1
    if draft.kind in _HEAVY:
        asked = MAX_PAGE if draft.limit is None else min(draft.limit, MAX_PAGE)
        return RENAME_WEIGHT if draft.kind == "rename" else 1 + asked
    return 1 + len(draft.text) // WEIGHT_CHARS
