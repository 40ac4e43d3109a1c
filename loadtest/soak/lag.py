"""How late the soak itself is: on a busy machine it hears late what came in time."""

from __future__ import annotations

from collections import deque
from time import monotonic_ns

import trio

_LOOK_SECONDS = 0.05

#: Less than this explains nothing.
_NOTED_US = 20_000

#: What was late so long before is asked for: a latency ends when it is noticed.
_BEFORE_US = 1_000_000


class Lag:
    """Measures how late its own loop wakes a sleeper."""

    def __init__(self) -> None:
        self._late: deque[tuple[int, int]] = deque(maxlen=100_000)  # when, and by how much

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            due = trio.current_time() + _LOOK_SECONDS
            await trio.sleep_until(due)
            late_us = int((trio.current_time() - due) * 1_000_000)
            if late_us >= _NOTED_US:
                self.note(monotonic_ns() // 1000, late_us)

    def note(self, at_us: int, late_us: int) -> None:
        """It was so late then."""
        self._late.append((at_us, late_us))

    def until(self, at_us: int) -> int:
        """The most that it was late in the second up to then, in microseconds."""
        from_us = at_us - _BEFORE_US
        return max((late for when, late in self._late if from_us <= when <= at_us), default=0)
