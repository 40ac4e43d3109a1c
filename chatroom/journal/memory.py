"""A journal that keeps the newest events in memory, and nothing after the end of the process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatroom.event import Event
from chatroom.journal import Page, Recent, new_session


class MemoryJournal:
    """See `chatroom.journal.Journal`. A new one is a new session, with numbers from 1."""

    durable = False

    def __init__(self, keep: int) -> None:
        self.session = new_session()
        self.recent = Recent(keep)

    def append(self, events: Sequence[Event], stored: Callable[[bool], None] | None) -> None:
        self.recent.extend(events)
        if stored is not None:
            stored(True)

    async def after(self, seq: int, limit: int) -> Page:
        return self.recent.after(seq, limit)

    async def before(self, seq: int, limit: int) -> Page:
        return self.recent.before(seq, limit)

    async def aclose(self) -> None:
        pass
