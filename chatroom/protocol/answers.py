"""What the server says to one client alone, as JSON objects; see the protocol's documentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from chatroom.event import Event, Gap
from chatroom.protocol.people import Card, Person


class Limits(msgspec.Struct, frozen=True):
    text: int  #: bytes of UTF-8


class FeedKey(msgspec.Struct, frozen=True):
    """A key of a sealed feed; see `chatroom.feed.seal`."""

    id: str  #: in each block: four bytes, in hexadecimal
    cipher: str
    secret: str = msgspec.field()  #: in base64

    def __repr__(self) -> str:  # which a log may get to see
        return f"FeedKey(id={self.id!r})"


class Multicast(msgspec.Struct, frozen=True):
    """Where the feed is, and, to whom may read it, how it is opened."""

    group: str
    port: int
    request_port: int
    key: FeedKey | msgspec.UnsetType = msgspec.UNSET  #: it is sealed, by this one
    next_key: FeedKey | msgspec.UnsetType = msgspec.UNSET  #: that will be the key
    seconds: float | msgspec.UnsetType = msgspec.UNSET  #: for so long `key` is good, at the most


class Answer(msgspec.Struct, frozen=True, tag_field="kind", tag=str.lower):
    """`kind` is the class's name in lower case and comes first in the JSON."""


class Welcome(Answer, frozen=True):
    """The answer to a hello; the client is in the room."""

    protocol: int
    room: str
    session: str
    nick: str
    token: str
    seq: int  #: the last event before the live ones
    members: Sequence[str]  #: at most `settings.WELCOME_MEMBERS`, the latest speakers first
    member_count: int
    limits: Limits
    multicast: Multicast | None
    topic: str = ""  #: empty: there is none
    account: str | None = None  #: the name of the account that was logged in to
    role: str = "member"  #: what one may do: member, listener or operator
    resumed: str | msgspec.UnsetType = (
        msgspec.UNSET
    )  #: complete or partial, where resuming was asked
    missed: int | msgspec.UnsetType = msgspec.UNSET  #: with partial: events no longer kept
    #: Where resuming was asked: the replay has what is above this. It is the hello's `after`, or 0
    #: if that counts in a log that this server does not have.
    after: int | msgspec.UnsetType = msgspec.UNSET
    id: str | msgspec.UnsetType = msgspec.UNSET
    #: Who set the topic, and when. Only where an id is: for formats that tell of it on entering.
    topic_by: str | msgspec.UnsetType = msgspec.UNSET
    topic_time: str | msgspec.UnsetType = msgspec.UNSET
    #: The room's other servers, each `host:port`; unset where there is one only.
    servers: Sequence[str] | msgspec.UnsetType = msgspec.UNSET


class Feed(Answer, frozen=True):
    """Where the feed is, and what opens it, for who only listens."""

    session: str
    first: int  #: the first number of the session
    seq: int  #: the last one so far
    multicast: Multicast


class Ack(Answer, frozen=True):
    id: str
    seq: int
    nick: str | msgspec.UnsetType = msgspec.UNSET  #: of a rename: the nick as it was given


class Renamed(Answer, frozen=True):
    """A person has another name now; programs get an ack."""

    nick: str
    id: str | None = None


class Registered(Answer, frozen=True):
    """A name is reserved for the client, which is not in the room yet."""

    nick: str
    names_held: int  #: members, and names that are reserved
    account: str = ""
    id: str | None = None


class LoggedIn(Answer, frozen=True):
    """The account is the client's, which has no name yet or keeps the one that it has."""

    account: str
    id: str | None = None


class Parted(Answer, frozen=True):
    """The client is out of the room, and keeps its name."""

    text: str
    id: str | None = None


class Said(Answer, frozen=True):
    """What the client said is in the room. (On the disk it is when an ack says so.)"""

    event: Event
    id: str = ""  #: empty: it has not asked for what it is told of here


class Found(Answer, frozen=True):
    """Those whom a `people` request asked for."""

    people: Sequence[Person]
    member_count: int
    names_held: int  #: members, and names that are reserved
    more: bool
    id: str | None = None


class Changed(Answer, frozen=True):
    """A member says something else of itself now. Told to all, has no number, is not kept."""

    nick: str
    was: Card
    card: Card


class Tagged(Answer, frozen=True):
    """A sign of a member that is no talk (it is typing). Told to all, not numbered, not kept."""

    nick: str
    tags: str
    id: str | None = None


class Invited(Answer, frozen=True):
    """Who has a name and is outside is asked in. Told to whom it is about, to whoever did it, and
    to all whose formats have it; has no number, is not kept.
    """

    nick: str
    by: str
    id: str | None = None


class Moderated(Answer, frozen=True):
    """Only operators and who has voice may talk from here on, or everybody. Told to all."""

    on: bool
    by: str


class Marked(Answer, frozen=True):
    """How far somebody has read; told to it, and to its account's other connections."""

    target: str
    stamp: str  #: empty: that has not been said
    id: str | None = None


class Lines(Answer, frozen=True):
    """What a session answers by itself: only its own speaker knows how it reads."""

    lines: Sequence[Any]
    id: str | None = None


class Done(Answer, frozen=True, omit_defaults=True):
    """What an operator asked for is done, and is no event; or, for people, it is one."""

    text: str = msgspec.field()
    id: str | None = None


class Topic(Answer, frozen=True):
    """What the room is about, to a person who asked."""

    text: str
    by: str = ""  #: who set it, and when; empty where that is not known
    time: str = ""
    member_count: int = 0
    id: str | None = None


class Banned(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of the bans."""

    mask: str = msgspec.field()
    by: str = msgspec.field()
    time: str = msgspec.field()
    until: str = ""  #: empty: for ever
    text: str = ""


class Bans(Answer, frozen=True, omit_defaults=True):
    bans: Sequence[Banned] = msgspec.field()
    more: bool = msgspec.field()
    id: str | None = None


class Members(Answer, frozen=True, omit_defaults=True):
    members: Sequence[str] = msgspec.field()
    member_count: int = msgspec.field()
    more: bool = msgspec.field()
    id: str | None = None
    #: In a room on several servers, the name of each one's.
    servers: Sequence[str] | None = None


class History(Answer, frozen=True, omit_defaults=True):
    events: Sequence[Event | Gap] = msgspec.field()
    more: bool = msgspec.field()
    id: str | None = None


class Help(Answer, frozen=True):
    text: str


class Pong(Answer, frozen=True, omit_defaults=True):
    id: str | None = None


class Error(Answer, frozen=True, omit_defaults=True):
    """One request was refused; the connection goes on, unless it was the hello."""

    code: str
    text: str
    id: str | None = None


class Presence(Answer, frozen=True):
    """Joins and leaves are announced from here on, or are not: the room has grown too large."""

    announced: bool
    member_count: int


class Slowed(Answer, frozen=True, omit_defaults=True):
    """The client is read more slowly from here on, because it says more than it may."""

    rate: float = msgspec.field()  #: what it may, a second
    of: str = "messages"  #: or queries, or renames; or room: what all may say together

    @property
    def text(self) -> str:
        """The same in words."""
        if self.of == "room":
            return f"you are slowed down: the room takes {self.rate:g} messages a second of all"
        every = f"{self.rate:g} {self.of} a second"
        if 0 < self.rate < 1:
            every = f"one of your {self.of} in {1 / self.rate:g} seconds"
        return f"you are slowed down to {every}; nothing is lost"


class Notice(Answer, frozen=True):
    """What all who hear the room are told that is no event: how the server is."""

    text: str


class Bye(Answer, frozen=True, omit_defaults=True):
    """The last line before the server closes."""

    reason: str
    text: str
    code: str = ""  #: of the error that it follows from, if it does; for formats that have numbers
    servers: Sequence[str] = ()  #: where to go on: the room's other servers, each `host:port`


#: What only a session's own speaker renders, or a format that knows of it.
Special = (
    Registered
    | LoggedIn
    | Parted
    | Said
    | Found
    | Changed
    | Tagged
    | Invited
    | Marked
    | Moderated
    | Lines
)

AnyAnswer = (
    Special
    | Welcome
    | Feed
    | Ack
    | Members
    | History
    | Help
    | Pong
    | Error
    | Presence
    | Notice
    | Bye
    | Renamed
    | Done
    | Topic
    | Bans
    | Slowed
)
