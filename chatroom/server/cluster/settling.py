"""What one says next waits for what one has become: the way into a room on several servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import trio

from chatroom.protocol.requests import Draft, Ending, Enter, Hello, Part, Proven, Request
from chatroom.settings import SUBMIT_SECONDS

if TYPE_CHECKING:
    from chatroom.server.cluster.clustered import ClusteredOrder
    from chatroom.server.connection import Connection
    from chatroom.server.turn.broadcaster import Broadcaster

_CHANGES = frozenset({Hello, Proven, Enter, Part})


class SettlingEntry:
    """Hands drafts over up to one that changes who its client is in the room, then waits until the
    log has given that back. So nothing of one client overtakes anything, messages go in a stream,
    and who says more than the log takes is not read meanwhile.
    """

    def __init__(self, broadcaster: Broadcaster, order: ClusteredOrder) -> None:
        self._broadcaster = broadcaster
        self._order = order

    async def submit(
        self, connection: Connection, drafts: Sequence[Draft], *, wait: bool = False
    ) -> None:
        """See `Broadcaster.submit`. Cancelled while the log is away, what is left is lost."""
        for run, is_last in _runs(drafts):
            await self._submit(connection, run, wait=wait and is_last)
        await self._order.wait_eased()

    def submit_nowait(
        self, connection: Connection, drafts: Sequence[Draft], done: Callable[[], None]
    ) -> bool:
        """See `Broadcaster.submit_nowait`: here all have to wait."""
        return False

    async def _submit(self, connection: Connection, drafts: Sequence[Draft], *, wait: bool) -> None:
        if _ends(drafts[0]):
            # What it has said before is answered first.
            with trio.move_on_after(SUBMIT_SECONDS):
                await self._order.under_way.wait_none(connection)
        else:
            await self._order.pending.wait_none(connection)
        changes = _changes(drafts[-1])
        await self._broadcaster.submit(connection, drafts, wait=wait or changes)
        if not changes:
            return
        try:
            await self._order.pending.wait_none(connection)
        except trio.Cancelled:
            # What was read before the end is dealt with, in its order, if the log is there.
            with trio.move_on_after(SUBMIT_SECONDS, shield=True):
                await self._order.pending.wait_none(connection)
            raise


def _changes(draft: Draft) -> bool:
    if type(draft) is Request:
        return draft.kind == "rename"
    return type(draft) in _CHANGES


def _ends(draft: Draft) -> bool:
    return type(draft) is Ending or (type(draft) is Request and draft.kind == "quit")


def _runs(drafts: Sequence[Draft]) -> Iterator[tuple[Sequence[Draft], bool]]:
    """Split after each draft that changes something and before each that ends; with each part
    whether it is the last.
    """
    start = 0
    for at, draft in enumerate(drafts, 1):
        if at == len(drafts) or _changes(draft) or _ends(drafts[at]):
            yield drafts[start:at], at == len(drafts)
            start = at
