"""A journal that keeps the newest events in memory, and nothing after the end of the process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from chatroom.event import Event
from chatroom.journal import Page, Recent, new_session
from chatroom.journal.limits import SEARCHERS
from chatroom.journal.pages import page_after, page_before, page_of_found
from chatroom.journal.search import expression, search_memory
from chatroom.journal.statistics import JournalStatistics


class MemoryJournal:
    """See `chatroom.journal.Journal`. A new one is a new session, with numbers from 1."""

    durable = False
    refused_events = 0

    def __init__(self, keep: int) -> None:
        self.session = new_session()
        self._sessions = {self.session: 1}  # and the first number of each
        self.recent = Recent(keep)
        self._search_limiter = trio.CapacityLimiter(SEARCHERS)

    def give_out(self, seq: int) -> None:
        """See `Journal.give_out`. With the memory the session ends, and so the numbers."""

    def append(
        self,
        events: Sequence[Event],
        blocks: Sequence[bytes],
        stored: Callable[[bool], None] | None,
    ) -> None:
        self.recent.extend(events)
        if stored is not None:
            stored(True)

    def skip_to(self, seq: int, session: str) -> None:
        if session != self.session:
            self._sessions[session] = seq + 1
            self.session = session
        self.recent.skip_to(seq)

    def knows(self, session: str) -> bool:
        return session in self._sessions

    @property
    def session_from(self) -> int:
        """See `Journal.session_from`."""
        return self._sessions[self.session]

    def session_of(self, seq: int) -> str:
        for session, first_seq in reversed(self._sessions.items()):
            if first_seq <= seq:
                return session
        return self.session

    def missing_after(self, seq: int) -> int:
        return max(0, self.recent.first_seq - 1 - seq)

    def statistics(self) -> JournalStatistics:
        return JournalStatistics()

    def redact(self, seq: int) -> None:
        self.recent.redact(seq)

    async def after(self, seq: int, limit: int) -> Page:
        await trio.lowlevel.checkpoint()
        newest = self.recent.after(seq, limit + 1)
        return page_after(seq, limit, [newest], self.recent.last_seq)

    async def before(self, seq: int, limit: int) -> Page:
        await trio.lowlevel.checkpoint()
        return self.before_nowait(seq, limit)

    def before_nowait(self, seq: int, limit: int) -> Page:
        seq = min(seq, self.recent.last_seq + 1)
        newest = self.recent.before(seq, limit + 1)
        return page_before(seq, limit, [newest], self.recent.first_seq)

    async def search(self, text: str, before: int, limit: int) -> Page:
        found = expression(text)
        if not found:
            await trio.lowlevel.checkpoint()
            return Page([], more=False)
        before = min(before, self.recent.last_seq + 1)
        events = await trio.to_thread.run_sync(
            search_memory,
            found,
            before,
            limit + 1,
            list(self.recent),
            limiter=self._search_limiter,
            abandon_on_cancel=True,
        )
        return page_of_found(limit, events)

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()
