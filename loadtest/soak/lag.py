"""What the machine takes of a latency: how late the soak itself was, which hears late what came in
time, and how long the server had waited for a core.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from time import monotonic_ns

import trio

_LOOK_SECONDS = 0.05

#: Less than this explains nothing.
_NOTED_US = 20_000

#: What was so long before a latency's end is asked for.
_BEFORE_US = 1_000_000

#: Looks that are kept: those of more than an hour in which each is noted.
_KEPT = 100_000


class Lag:
    """Looks at both now and then."""

    def __init__(self) -> None:
        self._late: deque[tuple[int, int]] = deque(maxlen=_KEPT)  # until when, and for how long
        self._waited: deque[tuple[int, int]] = deque(maxlen=_KEPT)

    async def run(self, pid: Callable[[], int]) -> None:
        """Look until cancelled. `pid`: of the server's present life."""
        last: tuple[int, int] | None = None
        while True:
            due = trio.current_time() + _LOOK_SECONDS
            await trio.sleep_until(due)
            now_us = monotonic_ns() // 1000
            self.note_late(now_us, int((trio.current_time() - due) * 1_000_000))
            before, last = last, _waited_us(pid())
            if before is not None and last is not None and before[0] == last[0]:
                self.note_waited(now_us, last[1] - before[1])

    def note_late(self, at_us: int, late_us: int) -> None:
        """The soak was so late until then."""
        if late_us >= _NOTED_US:
            self._late.append((at_us, late_us))

    def note_waited(self, at_us: int, waited_us: int) -> None:
        """The server's main thread has waited so long since the last look."""
        if waited_us >= _NOTED_US:
            self._waited.append((at_us, waited_us))

    def late_us(self, at_us: int) -> int:
        """The most that the soak was late in the second up to then."""
        from_us = at_us - _BEFORE_US
        late = (late for when, late in self._late if when >= from_us and when - late <= at_us)
        return max(late, default=0)

    def waited_us(self, at_us: int) -> int:
        """How long the server waited for a core in the second up to then."""
        from_us = at_us - _BEFORE_US
        return sum(waited for when, waited in self._waited if from_us <= when <= at_us)


def _waited_us(pid: int) -> tuple[int, int] | None:
    """The process, and how long its main thread has been ready to run and had no core; None where
    the kernel does not say (https://docs.kernel.org/scheduler/sched-stats.html).
    """
    try:
        figures = Path(f"/proc/{pid}/schedstat").read_text("ascii").split()
        return pid, int(figures[1]) // 1000
    except (OSError, IndexError):
        return None
