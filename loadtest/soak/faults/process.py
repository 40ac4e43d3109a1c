"""What is done to the process."""

from __future__ import annotations

import signal
from random import Random

import trio

from chatroom.errors import ChatroomError
from loadtest.soak.faults.fault import Fault, Ground


class Kill(Fault):
    """`kill -9` in the middle of everything, and a new start."""

    name = "kill -9"

    async def strike(self, ground: Ground) -> None:
        await ground.server.kill()
        await ground.server.start()


class Stop(Fault):
    """It does nothing for a while, as under a debugger or on a machine that sleeps."""

    name = "stopped"

    def __init__(self, random: Random) -> None:
        self._seconds = random.uniform(0.3, 2.5)

    async def strike(self, ground: Ground) -> None:
        ground.server.send(signal.SIGSTOP)
        await trio.sleep(self._seconds)
        ground.server.send(signal.SIGCONT)


class Signals(Fault):
    """A volley of signals that ask for nothing. SIGHUP is none: without TLS it ends a server."""

    name = "signals"
    _NUMBERS = (signal.SIGCONT, signal.SIGCHLD, signal.SIGWINCH, signal.SIGPIPE, signal.SIGURG)

    def __init__(self, random: Random) -> None:
        self._volley = [random.choice(self._NUMBERS) for _ in range(random.randrange(5, 60))]

    async def strike(self, ground: Ground) -> None:
        for number in self._volley:
            ground.server.send(number)
            await trio.sleep(0.002)


class Terminate(Fault):
    """A clean end under load, and a new start."""

    name = "terminated"

    def __init__(self, random: Random) -> None:
        self._number = random.choice([signal.SIGTERM, signal.SIGINT])

    async def strike(self, ground: Ground) -> None:
        ground.server.send(self._number)
        if code := await ground.server.wait():
            raise ChatroomError(f"the server's exit code was {code}: {ground.server.last_words()}")
        await ground.server.start()


class TerminateTwice(Fault):
    """Somebody who is impatient, while the disk is slow."""

    name = "terminated twice"

    def __init__(self, random: Random) -> None:
        self._seconds = random.uniform(0, 0.2)

    async def strike(self, ground: Ground) -> None:
        ground.obstacles.put(sync_milliseconds=300)
        await trio.sleep(0.3)
        ground.server.send(signal.SIGTERM)
        await trio.sleep(self._seconds)
        ground.server.send(signal.SIGTERM)
        await ground.server.wait()  # at once has a code of its own
        ground.obstacles.clear()
        await ground.server.start()
