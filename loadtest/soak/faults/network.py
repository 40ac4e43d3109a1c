"""What is done to the network: to one of this process's own, see `loadtest.soak.network`."""

from __future__ import annotations

from random import Random

import trio

from loadtest.soak.faults.fault import Fault, Ground
from loadtest.soak.network import FEED_INTERFACE, set_link


class InterfaceDown(Fault):
    """The interface that the feed is heard on goes down, and comes up again."""

    name = "interface down"

    def __init__(self, random: Random) -> None:
        self._seconds = random.uniform(0.1, 3)

    @staticmethod
    def is_possible(ground: Ground) -> bool:
        return ground.is_own_network

    async def strike(self, ground: Ground) -> None:
        set_link(FEED_INTERFACE, up=False)
        await trio.sleep(self._seconds)
        set_link(FEED_INTERFACE, up=True)
