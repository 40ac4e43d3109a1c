"""Reading what has arrived: in order, and with what did not fit the inbox fetched again."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import NoReturn

import trio

from chatroom.client.backoff import delays
from chatroom.client.errors import RoomClosed, RoomError
from chatroom.client.inbox import LeftOut
from chatroom.client.items import Item
from chatroom.client.outlook import may_pass
from chatroom.client.state import ClientState
from chatroom.event import PRESENCE_KINDS, Event, Gap
from chatroom.protocol.jsonlines.parse import HistoryPage

#: Events handed out in a row without letting other tasks run: about a tenth of a millisecond.
IN_A_ROW = 64

#: A page that cannot be had now is asked for again, but no longer than this: then the reader goes
#: on, and is told of the hole.
PATIENCE_SECONDS = 60.0


class Reading:
    """One task's way through the items of a room.

    `page_after(seq)` asks the room for a page of its history; `closed()` is the error that the
    room ended with, if it has.
    """

    def __init__(
        self,
        state: ClientState,
        page_after: Callable[[int], Awaitable[HistoryPage]],
        closed: Callable[[], RoomClosed | None],
    ) -> None:
        self._state = state
        self._page_after = page_after
        self._closed = closed
        self._fetched: deque[Event | Gap | LeftOut] = deque()
        self._busy = False
        self._in_a_row = 0

    def __len__(self) -> int:
        return len(self._state.inbox) + len(self._fetched)

    async def next(self) -> Item:
        """The next item. Raises `StopAsyncIteration` at the end, `RoomClosed` at a bad one.

        Raises `trio.BusyResourceError` if another task is reading. Cancelled, nothing is lost.
        """
        if self._busy:
            raise trio.BusyResourceError("another task is iterating over this room")
        self._busy = True
        try:
            return await self._next()
        finally:
            self._busy = False

    async def _next(self) -> Item:
        self._in_a_row += 1
        if self._in_a_row >= IN_A_ROW:
            self._in_a_row = 0
            await trio.lowlevel.checkpoint()
        while True:
            if self._fetched:
                first = self._fetched[0]
                if not isinstance(first, LeftOut):
                    self._fetched.popleft()
                    return first
                await self._fetch(first)
                continue
            item = await self._state.inbox.pop()
            if item is None:
                self._raise_ending()
            if not isinstance(item, LeftOut):
                return item
            self._fetched.append(item)

    def _raise_ending(self) -> NoReturn:
        closed = self._closed()
        if closed is None or closed.code in ("quit", "shutdown"):
            raise StopAsyncIteration
        raise closed

    async def _fetch(self, left_out: LeftOut) -> None:
        """Replace events that did not fit by a page of them from the room's history, or by a gap.

        Cancelled, they are still to be fetched.
        """
        page = await self._page(left_out)
        fetched, rest = self._chosen(page, left_out)
        self._fetched.popleft()
        if rest.first <= rest.last:
            fetched.append(rest)
        self._fetched.extendleft(reversed(fetched))
        self._state.counts.left_out += rest.first - left_out.first

    async def _page(self, left_out: LeftOut) -> HistoryPage:
        """The page that begins with what was left out; an empty one if that cannot be had."""
        give_up_at = trio.current_time() + PATIENCE_SECONDS
        for delay in delays():
            try:
                page = await self._page_after(left_out.first - 1)
            except RoomError as error:
                too_late = trio.current_time() + delay > give_up_at
                if too_late or not may_pass(error) or self._closed() is not None:
                    break
            else:
                # While it was on its way the room may have begun another log, and answered of that.
                return page if left_out.log == self._state.resume.log else HistoryPage([])
            await trio.sleep(delay)
        return HistoryPage([])

    def _chosen(
        self, page: HistoryPage, left_out: LeftOut
    ) -> tuple[list[Event | Gap | LeftOut], LeftOut]:
        """What of a page was left out, holes said, and what is still to fetch."""
        chosen: list[Event | Gap | LeftOut] = []
        following, nick = left_out.first, left_out.nick
        for event in page.events:
            first = event.first if isinstance(event, Gap) else event.seq
            if first > left_out.last:
                break
            if first > following:
                chosen.append(Gap(following, first - 1))
            following = (event.last if isinstance(event, Gap) else first) + 1
            if isinstance(event, Gap) or self._wanted(event, nick):
                chosen.append(event)
            if isinstance(event, Event) and event.kind == "rename" and event.nick == nick:
                nick = event.to
        if following == left_out.first or (not page.more and following <= left_out.last):
            chosen.append(Gap(following, left_out.last))
            following = left_out.last + 1
        return chosen, LeftOut(following, left_out.last, left_out.log, nick)

    def _wanted(self, event: Event, own_nick: str) -> bool:
        options = self._state.options
        if event.kind in PRESENCE_KINDS and not options.presence:
            return False
        return options.echo or event.nick != own_nick
