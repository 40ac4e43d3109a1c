"""Events as lines on standard output, from wherever they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from chatroom.client.terminal.render import plain
from chatroom.client.terminal.streams import write
from chatroom.event import Event, Gap, encode_event
from chatroom.room.visible import json_safe

#: Lines are joined up to this much while more are waiting; a line that comes alone goes at once.
JOINED_BYTES = 32 * 1024


class Source(Protocol):
    """What a printer reads: a room, or any other place that events come from."""

    @property
    def waiting(self) -> int:
        """Items that are there already."""

    def __aiter__(self) -> AsyncIterator[Event | Gap]: ...


class Printer:
    """Writes events to `fd`: as JSON Lines, or as the protocol's plain format has them."""

    def __init__(self, fd: int, *, json: bool) -> None:
        self._fd = fd
        self._json = json
        self._lines: list[bytes] = []
        self._size = 0

    def add(self, item: Event | Gap) -> None:
        """Take one item; `flush` writes it."""
        line = self._line(item)
        self._lines.append(line)
        self._size += len(line)

    @property
    def full(self) -> bool:
        return self._size >= JOINED_BYTES

    async def flush(self) -> None:
        """Write what was added. Raises `BrokenPipeError` when nobody reads any more. Cancelled, a
        part may have been written, and the rest is gone.
        """
        output, self._lines, self._size = b"".join(self._lines), [], 0
        await write(self._fd, output)

    async def print_all(self, source: Source) -> None:
        """Print until the source ends. Raises what the source and `flush` raise, and is
        cancelled as they are.
        """
        async for item in source:
            self.add(item)
            if self.full or not source.waiting:
                await self.flush()

    def _line(self, item: Event | Gap) -> bytes:
        if not self._json:
            return f"{plain(item)}\n".encode()
        return json_safe(encode_event(item)) + b"\n"
