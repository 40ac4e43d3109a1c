"""What is done to the clock."""

from __future__ import annotations

from random import Random

import trio

from loadtest.soak.faults.fault import Fault, Ground


class ClockSetBack(Fault):
    """The clock of the day goes back, and later forward again."""

    name = "clock set back"

    def __init__(self, random: Random) -> None:
        self._seconds = random.choice([1, 60, 3600, 86_400, 40_000_000])

    async def strike(self, ground: Ground) -> None:
        ground.obstacles.put(clock_back_seconds=self._seconds)
        await trio.sleep(2)
        ground.obstacles.clear()
