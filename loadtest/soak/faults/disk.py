"""What is done to the disk."""

from __future__ import annotations

from random import Random

import trio

from loadtest.soak.faults.fault import Fault, Ground


class DiskFull(Fault):
    """No write goes through."""

    name = "disk full"

    def __init__(self, random: Random) -> None:
        self._seconds = random.uniform(0.2, 3)

    async def strike(self, ground: Ground) -> None:
        ground.obstacles.put(disk_full=True)
        await trio.sleep(self._seconds)
        ground.obstacles.clear()


class DiskSlow(Fault):
    """Each sync takes long."""

    name = "disk slow"

    def __init__(self, random: Random) -> None:
        self._milliseconds = random.randrange(100, 1500)

    async def strike(self, ground: Ground) -> None:
        ground.obstacles.put(sync_milliseconds=self._milliseconds)
        await trio.sleep(4)
        ground.obstacles.clear()
