"""A feed without a room: messages of one's own, over real multicast on loopback."""

from __future__ import annotations

import trio

from chatroom.event import Event, encode_event
from chatroom.feed.broadcast import Feed
from chatroom.journal.memory import MemoryJournal
from chatroom.settings import FeedSettings

#: Whoever waits longer than this has found a bug, on a busy machine too.
PATIENCE_SECONDS = 30


async def open_feed(nursery: trio.Nursery, port: int) -> Feed:
    """A feed with a log of its own; it lives as long as the nursery."""
    feed = Feed(FeedSettings(port=port), 0, MemoryJournal(10), 0)
    await nursery.start(feed.run)
    return feed


def event(seq: int, text: str) -> bytes:
    """A message of bob's as it goes into a datagram."""
    return encode_event(Event(seq, "2026-11-22T13:17:42.123456Z", "message", "bob", text))


def say(feed: Feed, first: int, count: int, size: int = 10) -> None:
    """Messages, each in a datagram of its own, whose texts begin with their numbers."""
    for seq in range(first, first + count):
        feed.send(seq, [event(seq, f"{seq} ".ljust(size, "x"))])
