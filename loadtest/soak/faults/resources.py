"""What the operating system has no more of."""

from __future__ import annotations

import resource
from contextlib import AsyncExitStack, suppress
from random import Random

import trio

from loadtest.soak.faults.fault import Fault, Ground
from loadtest.soak.wires import connect, greeting

_NEWCOMERS = 24
_MEGABYTE = 2**20


class Descriptors(Fault):
    """There are but a few left, and more people come than that."""

    name = "no descriptors"

    def __init__(self, random: Random) -> None:
        self._left = random.randrange(4)

    async def strike(self, ground: Ground) -> None:
        server = ground.server
        limit = max(server.descriptors()) + 1 + self._left
        _, most = before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, most))
        async with AsyncExitStack() as guests:
            for _ in range(_NEWCOMERS):
                with suppress(OSError, trio.BrokenResourceError, trio.TooSlowError):
                    wire = await connect(server.place.port, "plain")
                    guests.push_async_callback(wire.aclose)
            await trio.sleep(2)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)


class Memory(Fault):
    """It gets no more than it has, while somebody says a great deal."""

    name = "no memory"
    may_end_server = True  # an interpreter without memory may do anything but lie

    def __init__(self, random: Random) -> None:
        self._bytes = random.choice([0, 1, 4, 16]) * _MEGABYTE

    async def strike(self, ground: Ground) -> None:
        server = ground.server
        before = resource.prlimit(server.pid, resource.RLIMIT_AS)
        limit = server.address_space_bytes() + self._bytes
        resource.prlimit(server.pid, resource.RLIMIT_AS, (limit, before[1]))
        try:
            with suppress(OSError, trio.BrokenResourceError, trio.TooSlowError):
                with trio.move_on_after(3):
                    wire = await connect(server.place.port, "plain")
                    await wire.say(greeting("plain", "glutton"))
                    for _ in range(40):
                        await wire.say((b"x" * 1000 + b"\n") * 100)
                        await trio.sleep(0.02)
                    await wire.aclose()
        finally:
            if server.is_alive:
                resource.prlimit(server.pid, resource.RLIMIT_AS, before)
