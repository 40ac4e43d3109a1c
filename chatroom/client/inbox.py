"""What has arrived and was not read yet, within a bound."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

import trio

from chatroom.event import Event

T = TypeVar("T")

#: What an item takes beside its text, roughly: the object, two short strings, the time.
ITEM_BYTES = 400

#: Items that are no events and wait to be read, at most. A server that is one says them seldom, but
#: for the gaps of a history, which one read can bring two thousand of.
MOST_NOTICES = 10_000


@dataclass(slots=True)
class LeftOut:
    """Events that arrived while the inbox was full; the server still has them."""

    first: int
    last: int
    log: int  #: the log that these numbers count in; see `ResumeState.log`
    nick: str  #: one's own, when the first of them came


class Inbox(Generic[T]):
    """Items in their order for one reader.

    The writer never waits inside; it looks at `full`, and waits with `wait_space` if it can. If it
    can't, because somebody waits for an answer that is behind more events in the stream, the
    events that do not fit are left out and their numbers kept, as a `LeftOut` in their place.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._items: deque[T | Event | LeftOut] = deque()
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._notices = 0
        self._arrived = trio.Event()
        self._eased = trio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full(self) -> bool:
        return self._bytes >= self._limit_bytes

    @property
    def has_too_many_notices(self) -> bool:
        """Whether more than `MOST_NOTICES` items are no events: no server of ours has sent them."""
        return self._notices > MOST_NOTICES

    def append(self, item: T) -> None:
        """Add what is not an event; never refused, as there are few of them."""
        self._items.append(item)
        self._bytes += ITEM_BYTES
        self._notices += 1
        self._arrived.set()

    def append_event(self, event: Event) -> None:
        """Add an event, though it may be the one that is too much."""
        self._items.append(event)
        self._bytes += ITEM_BYTES + len(event.text)
        self._arrived.set()

    def leave_out(self, event: Event, log: int, nick: str) -> None:
        """Keep only the number of an event, in a full inbox; see `LeftOut`."""
        newest = self._items[-1]
        if isinstance(newest, LeftOut):  # of the same log: there is a `Connected` between two
            newest.last = event.seq
        else:
            self._items.append(LeftOut(event.seq, event.seq, log, nick))
            self._bytes += ITEM_BYTES

    def close(self) -> None:
        """Nothing more will come; what is here can still be read."""
        self._closed = True
        self._arrived.set()

    def interrupt(self) -> None:
        """End a `wait_space` although there is none: an answer has to be read."""
        self._eased.set()

    async def wait_space(self) -> None:
        """Wait until less than half of the limit is used, or `interrupt` is called. Cancelled,
        nothing has changed.
        """
        self._eased = trio.Event()
        await self._eased.wait()

    async def pop(self) -> T | Event | LeftOut | None:
        """The oldest item, or None at the end. Waits; a cancelled wait takes nothing out."""
        while not self._items:
            if self._closed:
                return None
            self._arrived = trio.Event()
            await self._arrived.wait()
        item = self._items.popleft()
        self._bytes -= ITEM_BYTES + (len(item.text) if isinstance(item, Event) else 0)
        self._notices -= not isinstance(item, Event | LeftOut)
        if self._bytes * 2 < self._limit_bytes:
            self._eased.set()
        return item
