"""Reading a room's items in tests."""

from __future__ import annotations

import trio

from chatroom.client import Gap, Room
from chatroom.event import Event


async def read(room: Room, count: int) -> list[str]:
    """The next events, in short."""
    with trio.fail_after(30):
        await trio.lowlevel.checkpoint()
        return [short(await room.__anext__()) for _ in range(count)]


def short(item: Event | Gap) -> str:
    return f"{item.first}-{item.last}" if isinstance(item, Gap) else f"{item.seq} {item.text}"
