"""The log of a room on several servers, by itself: how long an entry is under way, how many events
it carries. Without clients; both servers are in this process.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles
from typing import TYPE_CHECKING, NamedTuple

import trio

from chatroom.journal import new_session
from chatroom.order.contract import EPOCH_SHIFT, Applied, Origin, Rules
from chatroom.order.opening import open_store
from chatroom.order.part import Part
from chatroom.order.shared import SharedLog
from chatroom.room.charter import Charter
from chatroom.room.commands import Join, Say

if TYPE_CHECKING:
    from coredis import Redis

    from chatroom.order.replica import Replica
    from chatroom.order.store import Keeping, Store

_TEXT = "how long is this under way, and how many of these get through? " * 2

#: Of each server, one batch with a word of each of them at a time.
_TALKERS = 100

_WARM_UP = 50

#: The stream for nothing but that.
_RAW = "chatroom:loadtest-raw"


class Figures(NamedTuple):
    """What was measured; times in seconds."""

    raw_median: float  #: from XADD to XREAD, nothing else
    raw_p99: float
    one_way_median: float  #: from `append` on one server to `hear` on the other
    one_way_p99: float
    events_per_second: float  #: applied by both servers


class _Server:
    """A server without clients: it counts what it hears."""

    def __init__(self, store: Store, name: str) -> None:
        self.heard_events = 0
        self.heard_at = 0.0
        self.news = trio.Event()
        rules = Rules(10_000, 0)
        part = Part("loadtest", name, (), rules, Charter(), 0, new_session)
        self.log = SharedLog(store, part, self)

    def begin(self, replica: Replica) -> None:
        """See `Hearer`, as for the rest."""

    def hear(self, applied: Sequence[Applied]) -> None:
        self.heard_events += sum(len(one.done) for one in applied)
        self.heard_at = trio.current_time()
        self.news.set()

    def entered(self, origin: Origin) -> None:
        whos = range(_TALKERS)
        joins = [Join(self._who(who), "", None, f"{origin.epoch} {who}") for who in whos]
        self.log.append(joins)

    def out(self) -> None:
        pass

    def away(self, reason: str) -> None:
        pass

    def back(self, keeping: Keeping) -> None:
        pass

    def came_back(self, seconds: float) -> None:
        pass

    def say(self, count: int) -> None:
        """As many of its people say something in one turn."""
        self.log.append([Say(self._who(who), "", "message", _TEXT) for who in range(count)])

    def _who(self, number: int) -> int:
        assert self.log.origin is not None
        return self.log.origin.epoch << EPOCH_SHIFT | number


async def measure(url: str, *, messages: int = 1000, seconds: float = 5.0) -> Figures:
    """Measure over the Redis at `url`, of which it uses the room `loadtest`: `messages` one by one,
    then as many as go in some seconds.
    """
    raw = await raw_seconds(url, messages)
    async with trio.open_nursery() as nursery:
        servers = [_Server(open_store(url, "loadtest"), name) for name in "ab"]
        for server in servers:
            await nursery.start(server.log.run)
        await _settle(servers)
        one_way = await _one_way(servers[0], servers[1], messages)
        rate = await _throughput(servers, seconds)
        nursery.cancel_scope.cancel()
    return Figures(median(raw), _p99(raw), median(one_way), _p99(one_way), rate)


async def raw_seconds(url: str, messages: int) -> list[float]:
    """The times from XADD to XREAD of the Redis at `url`, with nothing else between, as anybody
    would do that with the library; 200 a second, or less.
    """
    import coredis  # noqa: PLC0415 - the half second

    took, last = [], b"0-0"
    async with coredis.Redis.from_url(url) as redis:
        await redis.delete([_RAW])
        for _ in range(messages + _WARM_UP):
            seconds, last = await _once(redis, last)
            took.append(seconds)
    return took[_WARM_UP:]


async def _once(redis: Redis[bytes], last: bytes) -> tuple[float, bytes]:
    heard_at = 0.0

    async def read() -> None:
        nonlocal heard_at
        await redis.xread({_RAW: last}, block=10_000)
        heard_at = trio.current_time()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.sleep(0.005)  # by then it waits
        begun = trio.current_time()
        position = await redis.xadd(_RAW, {"1": _TEXT})
        assert position is not None
    return heard_at - begun, position


async def _one_way(author: _Server, reader: _Server, messages: int) -> list[float]:
    took = []
    for _ in range(messages + _WARM_UP):
        events = reader.heard_events
        begun = trio.current_time()
        author.say(1)
        while reader.heard_events == events:
            reader.news = trio.Event()
            await reader.news.wait()
        took.append(reader.heard_at - begun)
        await trio.sleep(0.005)
    return took[_WARM_UP:]


async def _throughput(servers: Sequence[_Server], seconds: float) -> float:
    """Each server has at most eight batches under way."""
    before = [server.heard_events for server in servers]
    begun = trio.current_time()
    while trio.current_time() - begun < seconds:
        for server in servers:
            while server.log.statistics().in_flight < 8:
                server.say(_TALKERS)
        await trio.sleep(0.0005)
    took = trio.current_time() - begun
    heard = [server.heard_events - was for server, was in zip(servers, before, strict=True)]
    return min(heard) / took


async def _settle(servers: Sequence[_Server]) -> None:
    while any(server.heard_events < _TALKERS for server in servers):  # noqa: ASYNC110 - not timed
        await trio.sleep(0.01)


def _p99(times: list[float]) -> float:
    return quantiles(times, n=100)[-1]
