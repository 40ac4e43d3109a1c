"""The course of a soak: a crowd comes in, faults strike, and after each the room must be well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import trio

from chatroom.errors import ChatroomError
from chatroom.swarm.wire.payload import SMALLEST_TEXT_BYTES, Payload, new_run
from loadtest.soak.crowd import Crowd
from loadtest.soak.faults import FAULTS, Fault, Ground
from loadtest.soak.history import History
from loadtest.soak.lag import Lag
from loadtest.soak.ledger import Ledger
from loadtest.soak.obstacles import Obstacles
from loadtest.soak.server import Place, Server, Size

#: Between the end of a fault and the next one, in seconds: the room is to be seen well again.
PAUSE_SECONDS = (2.0, 5.0)
RECOVERY_SECONDS = 60.0  #: so long a fault may have after-effects
#: From the last word until it must have been heard by somebody.
LAST_WORDS_SECONDS = 3.0
_STRIKE_SECONDS = 90.0
_ASK_SECONDS = 0.05


@dataclass
class Result:
    """What came of it."""

    seed: int
    ledger: Ledger
    lag: Lag = field(default_factory=Lag)
    seconds: float = 0.0
    lives: int = 0
    survived: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)  #: faults that it did not survive, and why
    sizes: dict[str, list[Size]] = field(
        default_factory=dict
    )  #: of each mode: at first, and at most
    tracebacks: list[str] = field(default_factory=list)
    feed_lost: int = 0
    feed_repaired: int = 0
    acks_checked: int = 0
    left_out: list[str] = field(default_factory=list)  #: faults that cannot happen here


def plan(random: Random, ground: Ground, kinds: Sequence[type[Fault]] = FAULTS) -> Iterator[Fault]:
    """Faults of these kinds without end: all in a new order, again and again."""
    possible = [kind for kind in kinds if kind.is_possible(ground)]
    while possible:
        random.shuffle(possible)
        for kind in possible:
            yield kind(random)


class Soak:
    """One run.

    Args:
        place: where the server listens.
        directory: for its files.
        seed: decides the faults, and how the crowd behaves.
        kinds: of faults.
        is_own_network: may interfaces be taken down?
        say: is told what happens.
    """

    def __init__(  # noqa: PLR0913 - what a run is given
        self,
        *,
        place: Place,
        directory: Path,
        seed: int,
        kinds: Sequence[type[Fault]],
        is_own_network: bool,
        say: Callable[[str], None],
    ) -> None:
        obstacles = Obstacles(directory)
        ledger = Ledger(Payload(new_run(), 2 * SMALLEST_TEXT_BYTES))
        self._server = Server(directory, place, obstacles)
        self._ground = Ground(self._server, obstacles, ledger, is_own_network)
        self._history = History(self._server, ledger)
        self._crowd = Crowd(self._server, ledger, seed)
        self._random = Random(seed)
        self._kinds = kinds
        self._say = say
        self.result = Result(seed, ledger)

    async def run(self, seconds: float) -> None:
        """Run for about so long; a fault that has begun is seen to its end. Cancelled, `result` has
        what came of it so far.

        Raises `ChatroomError` if the server can't be started at all.
        """
        result, ground = self.result, self._ground
        result.left_out = [kind.name for kind in self._kinds if not kind.is_possible(ground)]
        begun = trio.current_time()
        try:
            await self._server.start()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(result.lag.run, lambda: self._server.pid)
                self._crowd.start(nursery)
                await self._begin()
                for fault in plan(self._random, ground, self._kinds):
                    if trio.current_time() - begun >= seconds:
                        break
                    await trio.sleep(self._random.uniform(*PAUSE_SECONDS))
                    await self._suffer(fault)
                await trio.sleep(PAUSE_SECONDS[1])
                self._measure()
                await self._hear_the_last()
                ground.ledger.windows.open()
                await self._check_history()
                nursery.cancel_scope.cancel()
        finally:
            with trio.move_on_after(5, shield=True):
                if self._server.is_alive:
                    await self._server.kill()
            ground.obstacles.close()
            result.seconds = trio.current_time() - begun
            self._sum_up()

    async def _begin(self) -> None:
        if missing := await self._crowd.wait_all_in():
            raise ChatroomError(f"not everybody came in: {', '.join(missing)}")
        self._ground.ledger.windows.close()

    async def _hear_the_last(self) -> None:
        """Nobody talks any more: who does not have all by and by has lost it, or hears nothing."""
        self._crowd.hush()
        await trio.sleep(LAST_WORDS_SECONDS)
        for name in await self._crowd.wait_all_in():
            self._ground.ledger.faults.add("lost", f"{name} does not hear the last words")

    async def _suffer(self, fault: Fault) -> None:
        """One fault, and the way back; what goes wrong is a failure of the result."""
        result, ledger = self.result, self._ground.ledger
        if not self._server.is_alive:
            result.failures.append(f"ended by itself: {self._server.last_words()[-500:]}")
            await self._server.start()
        self._measure()
        begun = trio.current_time()
        ledger.windows.open()
        try:
            with self._server.excused() if fault.may_end_server else nullcontext():
                with trio.fail_after(_STRIKE_SECONDS):
                    await fault.strike(self._ground)
                await self._recover(fault)
            await self._check_history()
        except (ChatroomError, OSError, trio.TooSlowError) as error:
            result.failures.append(f"{fault.name}: {error!r}")
            self._say(f"NOT survived: {fault.name}: {error!r}")
            self._ground.obstacles.clear()
            await self._server.kill()
            await self._server.start()
        else:
            result.survived[fault.name] += 1
            self._say(f"survived: {fault.name}, {trio.current_time() - begun:.1f} s")
        ledger.doubt()
        ledger.windows.close()

    async def _recover(self, fault: Fault) -> None:
        """Wait until something that is said is acked, and everybody is in."""
        if not self._server.is_alive:
            if not fault.may_end_server:
                raise ChatroomError(f"the server has ended: {self._server.last_words()[-1000:]}")
            self._say(f"the server ended under: {fault.name}")
            await self._server.start()
        with trio.move_on_after(RECOVERY_SECONDS):
            before = self._ground.ledger.acks
            while self._ground.ledger.acks < before + 20:
                if not self._server.is_alive:
                    if not fault.may_end_server:
                        raise ChatroomError("the server has ended")
                    await self._server.start()
                await trio.sleep(_ASK_SECONDS)
            if missing := await self._crowd.wait_all_in():
                raise ChatroomError(f"not everybody came back: {', '.join(missing)}")
            return
        raise ChatroomError(f"nothing is acked any more: {self._server.last_words()[-1000:]}")

    async def _check_history(self) -> None:
        await self._history.check()
        self.result.acks_checked = self._history.checked

    def _measure(self) -> None:
        with suppress(OSError):
            size = self._server.size()
            sizes = self.result.sizes.setdefault(self._server.mode, [size, size])
            sizes[1] = sizes[1].most(size)

    def _sum_up(self) -> None:
        for bot in self._crowd.bots:
            bot.ears.judge()
        result = self.result
        result.lives = self._server.lives
        result.tracebacks = self._server.tracebacks()
        result.feed_lost = sum(one.lost for one in self._crowd.listeners)
        result.feed_repaired = sum(one.repaired for one in self._crowd.listeners)
