"""The room's ceiling: how much all talkers together may say, shared among those who push."""

from __future__ import annotations

import math

import trio


class Ceiling:
    """A token bucket, and those who wait for a token of it in a queue.

    Who has got a token goes to the end of the queue for the next one. So the ceiling is shared
    equally among all who push, however many lines each has, and one line of somebody else waits for
    one line of each of them at the most.
    """

    def __init__(self, per_second: float) -> None:
        """`per_second`: also what is there at once after a pause."""
        self.per_second = per_second
        self._interval = 1 / per_second
        # A second's worth, less the one that is taken; a thousandth more, as sums are not exact.
        self._slack = max(0.0, 1 - 0.999 * self._interval)
        self._full_at = -math.inf
        self._turn = trio.Lock()  # Trio hands it over in the order in which it was asked for

    def take_nowait(self, now: float) -> bool:
        """Take a token, if there is one and nobody waits. `now`: `trio.current_time()`."""
        if self._turn.locked() or self._full_at - self._slack > now:
            return False
        self._full_at = max(self._full_at, now) + self._interval
        return True

    async def take(self) -> None:
        """Wait for a turn and a token. Cancelled, none is taken."""
        async with self._turn:
            await trio.sleep_until(self._full_at - self._slack)
            self._full_at = max(self._full_at, trio.current_time()) + self._interval
