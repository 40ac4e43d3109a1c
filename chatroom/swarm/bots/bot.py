"""What a participant of a swarm is, whatever way it comes in by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Ear(Protocol):
    """Where the bytes go that a bot receives."""

    def hear(self, at_us: int, chunk: memoryview, /) -> None:
        """Take the time of arrival (monotonic, µs) and the bytes, which must be copied to keep."""


class Bot(Protocol):
    """A participant of a swarm.

    This is the seam for other ways in: a bot of another kind (on a multicast group, say) starts
    itself on the poller, and gives its ear the room's events as one ordered stream of records that
    the run's dialect can read, the same bytes for every bot. The audit needs nothing else.
    """

    name: str
    entered: bool  #: connected, and its greeting is on the way
    gone: str  #: why it is not there any more; empty while it is
    ear: Ear  #: where what it hears goes
    on_gone: Callable[[str], None]

    def start(self) -> None:
        """Begin to enter the room; returns at once."""

    def read_now(self, mask: int, /) -> None:
        """Read what is there, if there is something."""

    def leave(self, goodbye: bytes) -> None:
        """Begin to leave in order, hearing nothing any more and telling nobody; `gone` says when
        it has left. Where there is nobody to say goodbye to it leaves at once.
        """

    def close(self) -> None:
        """Leave at once. May be called at any time, also twice."""


class Deaf:
    """Nobody wants to know."""

    def hear(self, at_us: int, chunk: memoryview, /) -> None:
        pass


DEAF = Deaf()


def ignore_reason(_reason: str) -> None:
    """Nobody wants to know."""
