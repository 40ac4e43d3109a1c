"""Newcomers who have said nothing yet: for a moment their first bytes are waited for."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: Told in one turn of Trio's loop that they are waited for no longer, at most.
_BATCH = 256

#: After there was no memory to look at them.
_RETRY_SECONDS = 0.05


class Expecting(Generic[T]):
    """Whose first bytes are waited for, and until when."""

    def __init__(self) -> None:
        self._until: dict[T, float] = {}
        self._first = trio.Event()

    def add(self, newcomer: T, seconds: float) -> None:
        """It is waited for so long from now on: for all the same time, so who comes first is
        overdue first.
        """
        self._until[newcomer] = trio.current_time() + seconds
        self._first.set()

    def discard(self, newcomer: T) -> bool:
        """It has spoken, or is gone; whether it was waited for."""
        return self._until.pop(newcomer, None) is not None

    async def run(self, overdue: Callable[[T], None]) -> None:
        """Call `overdue`, which must not raise, for each that has let its time pass; it is not
        waited for any more then. Runs until cancelled. Where there is no memory for it, it is tried
        again.
        """
        while True:
            try:
                await self._wait_first()
                self._pass(overdue)
            except MemoryError:
                await trio.sleep(_RETRY_SECONDS)

    async def _wait_first(self) -> None:
        """Until the time of the first one has passed."""
        while not self._until:
            self._first = trio.Event()
            await self._first.wait()
        await trio.sleep_until(next(iter(self._until.values())))

    def _pass(self, overdue: Callable[[T], None]) -> None:
        now = trio.current_time()
        late = [one for one, until in islice(self._until.items(), _BATCH) if until <= now]
        for newcomer in late:
            if self.discard(newcomer):  # `overdue` for an earlier one may have done so
                overdue(newcomer)
