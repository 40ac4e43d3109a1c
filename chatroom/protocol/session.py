"""The contract of a wire format's incoming half: who recognises it, and what its bytes ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec

from chatroom.protocol.people import People
from chatroom.settings import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chatroom.protocol.requests import Draft
    from chatroom.room.refused import Refused
    from chatroom.room.text import TextRules
    from chatroom.web.contract import Site


@dataclass(frozen=True, slots=True)
class Venue:
    """What is true of the room for as long as it is open."""

    room: str = "lobby"
    since: float = 0.0  #: it is open: Unix time, seconds
    replay: int = 0  #: lines that a newcomer by IRC is given of what was said before
    accounts: bool = False  #: one may log in, and the topic is the operators'
    secret: bool = False  #: one has to know the room's secret, unless one logs in
    #: For so long who can come under TLS is to come no other way; 0: that is not asked for.
    sts_seconds: int = 0
    port: Callable[[], int] = lambda: 0  #: the TCP port, with TLS where there is any
    people: People = field(default_factory=People)
    #: The session of the log in which a number was given out.
    session_of: Callable[[int], str] = lambda _: ""
    #: Whether numbers of that session mean the same events in this log.
    knows: Callable[[str], bool] = lambda _: False


class Visit(msgspec.Struct, frozen=True):
    """What is known of a connection before its first byte."""

    rules: TextRules
    peer: str = ""  #: who it is, for the log: `127.0.0.1:50312`
    local: bool = True  #: it comes from this machine: loopback, or a Unix socket
    site: Site | None = None  #: what HTTP serves; None: nothing
    encrypted: bool = False  #: it comes under TLS
    #: The fingerprint of the certificate that it has shown there, if an account has it.
    certificate: str = ""
    needs_tls: bool = False  #: it is not let in, because it does not
    venue: Venue = msgspec.field(default_factory=Venue)


class Wait:
    """A bound on a client's silence. It is measured from when the session first shows it, so each
    is a wait of its own: a client that drips bytes cannot draw it out.
    """

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Session(Protocol):
    """What one connection's bytes ask for. Sans I/O.

    What comes out depends only on the bytes and on when `expire` was called, never on how the
    bytes were cut. Everything from outside is hostile: no bytes make a session raise, and it keeps
    a bounded number of them.
    """

    @property
    def wait(self) -> Wait | None:
        """What is being waited for, after which `expire` is to be called; None: the client may be
        silent as long as it likes.
        """

    @property
    def pending(self) -> bool:
        """`drafts` has more to give without another byte."""

    @property
    def successor(self) -> Session | None:
        """Who has taken over, once somebody has: it gets all further bytes, and has those that are
        left. To be asked for when `drafts` is empty.
        """

    def feed(self, chunk: bytes) -> None:
        """More of the client's bytes."""

    def expire(self) -> None:
        """The client has let the present `wait` pass."""

    def drafts(self) -> Sequence[Draft]:
        """The next drafts, in order: so many as one turn of the room may take of one connection
        (`settings.GROUP_WEIGHT`), and none behind a query, which is answered first. Empty when it
        takes more bytes to go on.
        """


class WayIn(Protocol):
    """A wire format, as it is registered."""

    @property
    def name(self) -> str:
        """One word."""

    @property
    def late(self) -> bool:
        """Whether one can go over to it after having entered in silence as a plain client."""

    def claims(self, head: bytes) -> bool | None:
        """Whether a connection that begins with `head` is of this format: None while that can't be
        said before more has come. Looks at the first line only, and at no more than
        `settings.MAX_LINE_BYTES` of it.
        """

    def open(self, visit: Visit, *, entered: bool) -> Session:
        """A session, which gets the connection's bytes from the first one on. `entered`: its client
        is in the room as a silent guest (only where `late`).
        """

    def turn_away(self, refused: Refused) -> bytes:
        """All that is said to a client that is turned away before it has a session."""


def first_line(head: bytes) -> bytes | None:
    """The first line of `head` without its LF; None if it has none within `MAX_LINE_BYTES`, so far
    or (if `head` is longer) for good.
    """
    end = head.find(b"\n", 0, MAX_LINE_BYTES + 1)
    return head[:end] if end >= 0 else None
