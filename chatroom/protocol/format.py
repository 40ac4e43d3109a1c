"""The contract of a wire format's outgoing half: how the room is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chatroom.event import Event, Gap
    from chatroom.protocol.answers import AnyAnswer, Bye


class Format(Protocol):
    """How a connection is spoken to. Sans I/O; nothing here raises for what a room made.

    A format is a value: connections whose formats are equal are one audience, for which everything
    is rendered once. So what varies between clients of a format (whether joins are wanted, say) is
    a field of it, and what is one client's alone is not.
    """

    @property
    def name(self) -> str:
        """One word, for the log and the counters."""

    @property
    def of_json(self) -> bool:
        """Whether its records are made from the events' JSON, which is encoded once for all."""

    @property
    def ping(self) -> bytes:
        """What asks a silent client whether it is there, framed: any byte is an answer. Empty where
        there is no such question, and TCP's acknowledgement has to do.
        """

    def event(self, event: Event | Gap, block: bytes) -> bytes:
        """The record of an event; empty if this format leaves it out. `block` is the event's JSON,
        or empty for a format that does not use it.
        """

    def answer(self, answer: AnyAnswer) -> bytes:
        """The record of something that is said to one client, or to all without a number. Empty
        where the format has nothing for it.
        """

    def frame(self, records: bytes) -> bytes:
        """Whole records as they go over the wire: one call for a batch, also where something was
        cut out of it for one member. Formats without frames return what they are given.
        """

    def bye(self, bye: Bye) -> bytes:
        """The last bytes of a connection, framed."""

    def boundary(self, sent: bytes, offset: int) -> int:
        """Where the record (or frame) ends that `offset` is in. `sent` is what `frame` returned,
        and its first `offset` bytes have left: up to the boundary the rest has to follow before
        anything else may.
        """


class Speaker(Protocol):
    """How one client is answered, where that depends on what only it and its session know. What
    the room says to all is its format's.
    """

    def answer(self, answer: AnyAnswer) -> bytes:
        """As `Format.answer`, and for this client alone. Called in the room's turn, or for history
        after it; for a page of history perhaps again, with fewer events, if the first was too long.
        """


def end_of_line(sent: bytes, offset: int) -> int:
    """`Format.boundary` of formats whose records are lines."""
    if offset == 0 or sent[offset - 1] == ord("\n"):
        return offset
    return sent.index(b"\n", offset) + 1
