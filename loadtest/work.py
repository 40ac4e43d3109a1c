"""The workloads, and what is measured in each."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from chatroom.errors import ChatroomError
from chatroom.swarm.figures.result import RunResult
from chatroom.swarm.settings import SwarmSettings


class Observed(msgspec.Struct):
    """One run against one peer."""

    result: RunResult
    resident_bytes: int  #: the most that the server had
    cpu_seconds: float  #: of the server, in all


class Measure(msgspec.Struct, frozen=True):
    """A figure that a workload is judged by."""

    key: str
    title: str
    unit: str
    higher_is_better: bool
    read: Callable[[Observed], float | None]


def _deliveries(seen: Observed) -> float | None:
    return seen.result.delivered_per_second


def _p50(seen: Observed) -> float | None:
    return seen.result.latency.percentiles_us["50"]


def _p99(seen: Observed) -> float | None:
    return seen.result.latency.percentiles_us["99"]


def _memory(seen: Observed) -> float | None:
    return seen.resident_bytes / 1e6


def _entered(seen: Observed) -> float | None:
    newcomers = seen.result.newcomers
    return newcomers.per_second if newcomers is not None else None


DELIVERIES = Measure("deliveries_per_second", "deliveries a second", "/s", True, _deliveries)
MEDIAN = Measure("p50_us", "median latency", "µs", False, _p50)
P99 = Measure("p99_us", "p99 latency", "µs", False, _p99)
MEMORY = Measure("resident_mb", "resident memory", "MB", False, _memory)
ENTERED = Measure("entered_per_second", "newcomers a second", "/s", True, _entered)


class Work(msgspec.Struct, frozen=True):
    """A workload."""

    name: str
    title: str
    settings: SwarmSettings  #: its port and dialect are set for each run
    measures: tuple[Measure, ...]
    format: str = "plain"

    def clients(self) -> int:
        """Connections that the server must hold."""
        return self.settings.bots + self.settings.newcomers + int(self.settings.witness_apart)


def _fanout() -> Work:
    settings = SwarmSettings(bots=101, rate=None, in_flight=64)
    return Work("fanout", "1 talker, 100 readers, 64 in flight", settings, (DELIVERIES,))


def _talkers() -> Work:
    settings = SwarmSettings(bots=500, talkers=500, rate=None, in_flight=500)
    return Work("talkers", "500 clients all talking, 500 in flight", settings, (DELIVERIES,))


def _pingpong() -> Work:
    settings = SwarmSettings(bots=2, rate=None, in_flight=1)
    return Work("pingpong", "1 talker, 1 reader, 1 in flight", settings, (MEDIAN,))


def _paced(readers: int) -> Work:
    title = f"1 talker, {readers:,} readers, 50 messages a second"
    settings = SwarmSettings(bots=readers + 1, rate=50)
    return Work(f"paced-{readers}", title, settings, (MEDIAN, P99))


def _brisk(readers: int) -> Work:
    title = f"1 talker, {readers:,} readers, 1,000 messages a second"
    settings = SwarmSettings(bots=readers + 1, rate=1_000)
    return Work(f"brisk-{readers}", title, settings, (MEDIAN, P99))


def _connected(clients: int) -> Work:
    title = f"{clients:,} connected, 2 messages a second"
    settings = SwarmSettings(bots=clients, rate=2)
    return Work(f"connected-{clients}", title, settings, (P99, MEMORY))


def _newcomers() -> Work:
    settings = SwarmSettings(bots=101, rate=10, newcomers=5_000)
    title = "5,000 clients connecting at once, 100 inside, 10 messages a second"
    return Work("connect-storm", title, settings, (ENTERED, P99))


_NUMBERED = {"paced": _paced, "brisk": _brisk, "connected": _connected}
_NAMED = {
    "fanout": _fanout,
    "talkers": _talkers,
    "pingpong": _pingpong,
    "connect-storm": _newcomers,
}

_TABLE = (
    "fanout",
    "talkers",
    "pingpong",
    "brisk-100",
    "paced-1000",
    "connected-10000",
    "connect-storm",
)

#: The formats beside plain, which only this project's server speaks: a work's name ends with them.
FORMATS = {"json": "JSON Lines", "ws": "WebSocket"}

#: The table of figures that the server must reach, in all formats, and what the plots need beside.
DEFAULT_WORK = (
    *_TABLE,
    *(f"{name}-{format}" for format in FORMATS for name in _TABLE),
    "paced-10",
    "paced-100",
    "connected-100",
    "connected-1000",
)


def work_named(name: str) -> Work:
    """The workload of that name; `-json` or `-ws` at its end asks for another format than plain.

    Raises:
        ChatroomError: there is none.
    """
    plain, format = split(name)
    if plain in _NAMED:
        work = _NAMED[plain]()
    elif (match := re.fullmatch(rf"({'|'.join(_NUMBERED)})-([1-9]\d{{0,4}})", plain)) is not None:
        work = _NUMBERED[match[1]](int(match[2]))
    else:
        known = ", ".join([*_NAMED, *(f"{name}-N" for name in _NUMBERED)])
        suffixes = " or ".join(f"-{format}" for format in FORMATS)
        raise ChatroomError(f"no such work: {name}; there are {known}, each also with {suffixes}")
    if format == "plain":
        return work
    return msgspec.structs.replace(
        work, name=name, title=f"{work.title}, {FORMATS[format]}", format=format
    )


def split(name: str) -> tuple[str, str]:
    """The name of the workload in the plain format, and the format."""
    plain, _, format = name.rpartition("-")
    return (plain, format) if format in FORMATS else (name, "plain")


def timed(work: Work, seconds: float) -> Work:
    """The workload with this measured time; a slow pace takes longer to fill its percentiles."""
    slow = work.settings.rate is not None and work.settings.rate < 10
    settings = msgspec.structs.replace(
        work.settings,
        duration_seconds=seconds * (2 if slow else 1),
        warmup_seconds=min(1.0, seconds / 2),
    )
    return msgspec.structs.replace(work, settings=settings)
