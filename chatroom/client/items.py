"""What a room is read as: events and gaps, and what is true of the connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

import msgspec

from chatroom.event import Event, Gap
from chatroom.protocol.answers import Error, Presence, Slowed, Welcome


class Connected(msgspec.Struct, frozen=True):
    """The room is there, for the first time or again."""

    kind: ClassVar[str] = "connected"

    welcome: Welcome
    again: bool  #: there was a connection before
    missed: int  #: events since then that the server no longer has
    behind: int  #: events between, told after this
    new_log: bool  #: the server began a new session: numbers from before mean nothing now
    server: str = ""  #: which one it is: `host:port`, or as it was named


class Disconnected(msgspec.Struct, frozen=True):
    """The connection broke, or a try to come back failed; the next one comes by itself."""

    kind: ClassVar[str] = "disconnected"

    reason: str  #: a word: the `bye`'s reason, `lost`, or the code of the error of the try
    text: str  #: a sentence for a person
    tries: int  #: tries to come back so far
    retry_seconds: float  #: until the next one
    servers: int = 1  #: to come back to


#: What `Room.items` gives.
Item = Event | Gap | Connected | Disconnected | Presence | Slowed | Error


class Items:
    """An iterator over all items of a room; see `Room.items`."""

    def __init__(self, next_item: Callable[[], Awaitable[Item]]) -> None:
        self._next_item = next_item

    def __aiter__(self) -> Items:
        return self

    async def __anext__(self) -> Item:
        """As `Room.next_item`. Cancelled, nothing is lost: it comes next time."""
        return await self._next_item()
