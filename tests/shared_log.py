"""A log in memory that several servers of one process share, with the faults of a real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from chatroom.order import store as stores
from chatroom.order.contract import ORIGIN, VERSION, Position
from chatroom.order.store import AwayError, Extent, Keeping, Row


class MemoryStore:
    """See `chatroom.order.store.Store`. Its clock is Trio's."""

    def __init__(self, *, proven: bool = False) -> None:
        self.rows: list[Row] = []
        self.history: list[Row] = []  #: with those that the log was cut before
        self.added = 0
        self.proven = proven
        self.run = 1
        self.is_down = False
        self.is_full = False  #: it takes nothing
        self.reached = 0  #: how often
        self.epoch = 0
        self.snapshots: list[tuple[Position, bytes]] = []
        self.lines: list[Line] = []
        self._last = ORIGIN
        self._news = trio.Event()

    # Faults

    def cut(self) -> None:
        """All connections break."""
        for line in self.lines:
            line.cut()

    def go_down(self) -> None:
        """All connections break, with what is on the way, and there are no new ones."""
        self.is_down = True
        self.cut()
        for line in self.lines:
            line.drop()

    def come_back(self, *, lost: int = 0) -> None:
        """In another life, without the last entries."""
        self.is_down = False
        self.run += 1
        if lost:
            self.added -= min(lost, len(self.rows))
            del self.rows[-lost:], self.history[-lost:]

    def lose_everything(self) -> None:
        """As after a `FLUSHALL`."""
        self.rows.clear()
        self.history.clear()
        self.snapshots.clear()
        self.added = self.epoch = 0

    # What links do

    def put(self, data: bytes, version: int = VERSION) -> None:
        ms = 1_000_000 + int(trio.current_time() * 1000)
        same = ms <= self._last.ms
        self._last = Position(self._last.ms, self._last.number + 1) if same else Position(ms, 0)
        row = Row(self._last, version, data)
        self.rows.append(row)
        self.history.append(row)
        self.added += 1
        self.wake()

    async def wait_news(self) -> None:
        """Until something comes in or breaks."""
        await self._news.wait()

    def after(self, position: Position) -> Sequence[Row]:
        # From behind: whoever reads has read nearly all.
        first = len(self.rows)
        while first and self.rows[first - 1].position > position:
            first -= 1
        return self.rows[first : first + stores.PAGE]

    def wake(self) -> None:
        """Whoever waits looks again."""
        self._news.set()
        self._news = trio.Event()


class Line:
    """A server's way to the log: a `chatroom.order.store.Store`."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.is_paused = False  #: nothing gets through, either way
        self._held: list[tuple[bytes, bool]] = []
        self._links: list[MemoryLink] = []
        store.lines.append(self)

    @asynccontextmanager
    async def reach(self) -> AsyncIterator[MemoryLink]:
        await trio.lowlevel.checkpoint()
        if self.store.is_down:
            raise AwayError("it is down")
        self.store.reached += 1
        link = MemoryLink(self)
        self._links.append(link)
        try:
            yield link
        finally:
            link.is_broken = True
            self._links.remove(link)

    def cut(self) -> None:
        """Its connection breaks."""
        for link in self._links:
            link.is_broken = True
        self.store.wake()

    def pause(self) -> None:
        """What goes in stays on the way."""
        self.is_paused = True

    def go_on(self) -> None:
        """What was on the way comes in."""
        self.is_paused = False
        held, self._held = self._held, []
        for data, begins in held:
            self.put(data, begins=begins)
        self.store.wake()

    def drop(self) -> None:
        """What is on the way never comes in."""
        self._held.clear()

    def put(self, data: bytes, *, begins: bool) -> None:
        """Into the log, or on the way."""
        if self.is_paused:
            self._held.append((data, begins))
        elif self.store.is_full or not (begins or self.store.added):
            self.cut()
        else:
            self.store.put(data)


class MemoryLink:
    """See `chatroom.order.store.Link`."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._store = store = line.store
        self.is_broken = False
        self.keeping = Keeping(f"run {store.run}", "process", store.proven, "memory")

    def append(self, data: bytes, *, begins: bool = False) -> None:
        if not self.is_broken:
            self._line.put(data, begins=begins)

    async def read(self, after: Position, *, wait: bool) -> Sequence[Row]:
        await self._answer()
        rows = self._store.after(after)
        if not rows and wait:
            with trio.move_on_after(1):
                await self._store.wait_news()
            await self._answer()
            rows = self._store.after(after)
        return rows

    async def extent(self) -> Extent:
        await self._answer()
        store = self._store
        last = store.rows[-1].position if store.rows else ORIGIN
        return Extent(store.added, len(store.rows), last)

    async def holds(self, position: Position) -> bool:
        await self._answer()
        return any(row.position == position for row in self._store.rows)

    async def next_epoch(self) -> int:
        await self._answer()
        self._store.epoch += 1
        return self._store.epoch

    async def snapshots(self) -> Sequence[bytes]:
        await self._answer()
        return [data for _, data in self._store.snapshots]

    async def keep(self, position: Position, snapshot: bytes) -> None:
        await self._answer()
        store = self._store
        if store.snapshots and store.snapshots[-1][0] >= position:
            return
        before = store.snapshots[-1:]
        store.snapshots = [*before, (position, snapshot)]
        for oldest, _ in before:
            store.rows = [row for row in store.rows if row.position >= oldest]

    async def wait_broken(self) -> None:
        while not self.is_broken:
            await self._store.wait_news()
        raise AwayError("it broke")

    async def _answer(self) -> None:
        await trio.lowlevel.checkpoint()
        while self._line.is_paused and not self.is_broken:
            await self._store.wait_news()
        if self.is_broken:
            raise AwayError("it broke")
