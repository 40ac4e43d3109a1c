"""Whose coming is told at once, and whose later: nobody can read a crowd's."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import trio

from chatroom.access.buckets import Buckets
from chatroom.settings import TOLD_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chatroom.server.connection import Connection

#: How often is looked who may be told of by now.
_LOOK_SECONDS = 0.5


class Comings:
    """Counts by place; what has none is always told. Who comes and goes again before it has been
    told of was never there, for the others: so every leave that is told has had its join.
    """

    def __init__(self, is_here: Callable[[int], bool]) -> None:
        """`is_here`: whether a member has not gone again."""
        self._is_here = is_here
        self._buckets = Buckets(TOLD_PER_SECOND, TOLD_PER_SECOND)
        self._untold: dict[int, str] = {}  # members, in the order of their coming, and their places
        self._somebody = trio.Event()

    def is_told(self, connection: Connection) -> bool:
        """Whether the others are told at once that `connection` comes in; if not, it is kept in
        mind until they are.
        """
        if not connection.place or self._buckets.take(connection.place, monotonic()):
            return True
        self._untold[connection.who] = connection.place
        self._somebody.set()
        return False

    async def run(self, tell: Callable[[Sequence[int]], None]) -> None:
        """Call `tell` with those whose coming may be told by now. Runs until cancelled."""
        while True:
            await self._somebody.wait()
            await trio.sleep(_LOOK_SECONDS)
            due = self._take_due()
            if due:
                tell(due)
            if not self._untold:
                self._somebody = trio.Event()

    def _take_due(self) -> Sequence[int]:
        due = []
        now = monotonic()
        here = [(who, place) for who, place in self._untold.items() if self._is_here(who)]
        spent = set()
        for who, place in here:
            if place in spent:
                continue
            if self._buckets.take(place, now):
                due.append(who)
            else:
                spent.add(place)
        told = frozenset(due)
        self._untold = {who: place for who, place in here if who not in told}
        return due
