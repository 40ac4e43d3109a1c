"""What keeps the log, as one server's part in it needs it. Redis is one; tests have another."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from chatroom.errors import ChatroomError
from chatroom.order.contract import Position

#: Entries in one read, at most: 64 of the longest are 10 MB.
PAGE = 64


#: Of a `Row` that is not an entry of any.
NO_VERSION = 0


class AwayError(Exception):
    """The keeper of the log cannot be reached, or does not do its work now: it may be back."""


class UnfitError(AwayError):
    """Waiting is not likely to help. Who begins gives up; who is in the room waits all the same,
    until somebody puts it right.
    """


class NotKeptError(Exception):
    """The keeper of the log does not take a snapshot; else it works."""


class UnusableError(ChatroomError):
    """The keeper of the log is there, and cannot be used: its user has to put something right."""


class Row(NamedTuple):
    """An entry as it is kept."""

    position: Position
    version: int  #: of the entry, so that nobody reads what it cannot know; or `NO_VERSION`
    data: bytes


class Extent(NamedTuple):
    """How far a log reaches. One that is not there has nothing, and ends at `ORIGIN`."""

    added: int  #: entries that were ever put into it
    kept: int  #: how many of them it has still, the last ones
    last: Position  #: of the last one


class Keeping(NamedTuple):
    """What the keeper of the log promises, read from it when it is reached."""

    run: str  #: this life of it: another one may have forgotten what the last one knew
    survives: str  #: what stands in the log survives: "process" or "power", else "nothing"
    proven: bool  #: it forgets nothing from one life to the next
    text: str  #: all that in words, for the ready line


class Link(Protocol):
    """One connection to the keeper. Every method raises `AwayError` if that breaks, and then all
    others do; what was under way may have been done or not.
    """

    keeping: Keeping

    def append(self, data: bytes, *, begins: bool = False) -> None:
        """Put an entry at the end; `begins`: also of a log that is not there, for which it fails
        else. Never waits; entries come into the log in the order of these calls. That it failed
        shows in `wait_broken` and by its not coming back.
        """

    async def read(self, after: Position, *, wait: bool) -> Sequence[Row]:
        """The next entries behind a place, at most `PAGE`. With `wait`, the first that come within
        some seconds, or none.
        """

    async def extent(self) -> Extent:
        """How far the log reaches now. As `read`, not while another of the two is under way."""

    async def holds(self, position: Position) -> bool:
        """Whether the entry with that id is in the log."""

    async def next_epoch(self) -> int:
        """A number above all that this gave before; of a keeper that has forgotten them, a lower
        one.
        """

    async def snapshots(self) -> Sequence[bytes]:
        """Those to begin with: the one before the last, then the last."""

    async def keep(self, position: Position, snapshot: bytes) -> None:
        """Keep a snapshot, unless there is a newer one, and forget entries that stand before the
        one that was kept before. Raises `NotKeptError`.
        """

    async def wait_broken(self) -> None:
        """Return never; raise `AwayError` when the connection breaks or an `append` fails."""


class Store(Protocol):
    """A log and its keeper."""

    def reach(self) -> AbstractAsyncContextManager[Link]:
        """A new connection to it. Entering raises `AwayError`, or `UnusableError` if waiting would
        not help. Leaving it closes it.
        """
