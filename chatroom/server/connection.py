"""One client's connection: what the room knows of it, whichever mode serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from chatroom.protocol.plain.render import PLAIN
from chatroom.protocol.silent import Silent

if TYPE_CHECKING:
    from chatroom.event import CloseReason
    from chatroom.protocol.answers import AnyAnswer
    from chatroom.protocol.format import Format, Speaker
    from chatroom.protocol.people import Card
    from chatroom.protocol.requests import Proven
    from chatroom.server.fairness.pace import Pace
    from chatroom.transport.outbox import Outbox

NOTHING: frozenset[str] = frozenset()

_HANDSHAKE = Silent("tls")


class Hearing(Protocol):
    """Where a connection that hears the room has its seat: `chatroom.server.fanout.audience`."""

    format: Format
    sends: list[Callable[[bytes], int]]

    def insert(self, connection: Connection, record: bytes) -> None:
        """A record for one of them, at this place in the order."""


class Reader(Protocol):
    """Who reads what a client says: of the mode that serves it."""

    def stop_reading(self) -> None:
        """End the waiting for more of this client's bytes."""

    def has_more(self) -> bool:
        """Whether bytes of this client are there to be read."""


class Connection:
    """A client, from its accept to its last byte."""

    __slots__ = (
        "address",
        "audience",
        "card",
        "close_reason",
        "format",
        "id",
        "inside",
        "local",
        "marks",
        "needs_tls",
        "outbox",
        "owed",
        "own",
        "pace",
        "peer",
        "place",
        "proven",
        "reader",
        "received_bytes",
        "replay_after",
        "slot",
        "speaker",
        "transport",
        "wanted_nick",
        "who",
    )

    def __init__(self, number: int, peer: str, transport: str = "tcp") -> None:
        self.id = number  #: of this server's connections, for the log
        self.who = number  #: who it is in the room
        self.peer = peer
        self.transport = transport  #: one word, for the figures
        self.address = ""  #: the peer's, without its port; empty: it has none
        self.place = ""  #: what is counted by address is counted for this: `chatroom.access.place`
        self.local = True  #: it comes from this machine
        self.wanted_nick: str | None = None  #: said before it was let in
        self.received_bytes = 0  #: so far
        self.pace: Pace | None = None  #: how much it has said lately, where that is limited
        #: How it is spoken to; plain text until its first bytes have said otherwise.
        self.format: Format = PLAIN
        self.speaker: Speaker | None = None  #: who renders its answers; None: the format
        self.own = NOTHING  #: kinds of its own events that it wants back
        self.needs_tls = False  #: it is not let in as it is, whatever its hello says
        self.proven: Proven | None = None  #: that it has logged in before it had a name
        self.card: Card | None = None  #: what it says of itself
        self.marks: dict[str, str] | None = None  #: see `chatroom.server.turn.marks`
        self.inside = False  #: the room knows it: a member, or a name that is reserved
        #: Set by the fan-out while this connection hears the room.
        self.audience: Hearing | None = None
        self.slot = -1  #: its place in the audience's lists
        #: It has been welcomed and does not hear the room yet: events after this number come first.
        self.replay_after: int | None = None
        self.owed = 0  #: acks that it is promised, and that are not true yet
        #: Set once, by the broadcaster: the connection has ended and only its outbox lives on.
        self.close_reason: CloseReason | None = None
        #: These are given by the mode that serves it, which is made for it.
        self.outbox: Outbox
        self.reader: Reader

    @property
    def private(self) -> bool:
        """Nobody else can read what it says: it is of this machine, or under TLS."""
        return self.local or self.transport == "tls"

    def stop_reading(self) -> None:
        """See `Reader.stop_reading`."""
        self.reader.stop_reading()

    def has_more(self) -> bool:
        """See `Reader.has_more`."""
        return self.reader.has_more()

    def securing(self) -> None:
        """It begins to shake hands: nothing can be said to it until it is secured."""
        self.format = _HANDSHAKE
        self.transport = "tls"

    def secured(self) -> None:
        """It has come under TLS, and nothing has been said so far."""
        self.format = PLAIN
        self.needs_tls = False

    def render(self, answer: AnyAnswer) -> bytes:
        """The record of what this client alone is told."""
        return (self.speaker or self.format).answer(answer)

    def pieces(self, answer: AnyAnswer) -> Iterator[bytes]:
        """As `render`, in pieces where that takes long: others may have their turn between them."""
        if self.format is PLAIN:
            return PLAIN.pieces(answer)
        return iter((self.render(answer),))

    def reroute(self, send: Callable[[bytes], int]) -> None:
        """Its outbox sends by another function from now on."""
        if self.audience is not None:
            self.audience.sends[self.slot] = send
