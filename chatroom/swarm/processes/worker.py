"""One of several processes of a swarm: `python -m chatroom.swarm.processes.worker`.

`team` starts it, and it talks with its parent in lines of JSON. In: first an `Order`, then
`Meeting`s. Out: `Note`s.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import msgspec
import trio

from chatroom.errors import ChatroomError
from chatroom.swarm.figures.status import Status
from chatroom.swarm.load.runner import Runner
from chatroom.swarm.processes.merge import ProcessResult
from chatroom.swarm.processes.process import Meter, run_process
from chatroom.swarm.settings import SwarmSettings
from chatroom.swarm.wire.dialect import dialect_of

_STATUS_SECONDS = 0.25


class Order(msgspec.Struct):
    """What a worker is to do."""

    settings: SwarmSettings
    run: str
    rank: int


class Meeting(msgspec.Struct):
    """Everyone has come to a point, with these values, by rank."""

    point: str
    values: list[Any]


class Note(msgspec.Struct, omit_defaults=True):
    """What a worker tells: one of these."""

    point: str = ""  #: it has come to this point, with `value`
    value: Any = None
    status: Status | None = None
    result: ProcessResult | None = None  #: the last one of a good run
    error: str = ""  #: the last one of a run that was not possible


class PipeBarrier:
    """The barrier of a worker: its parent knows when all have come."""

    def __init__(self, order: Order, descriptor: int) -> None:
        self.rank = order.rank
        self.processes = order.settings.processes
        self._descriptor = descriptor
        self._told: set[str] = set()
        self._meetings: dict[str, list[Any]] = {}
        self._partial = b""
        os.set_blocking(descriptor, False)

    def meet(self, point: str, value: Any) -> list[Any] | None:
        if point not in self._told:
            self._told.add(point)
            tell(Note(point=point, value=value))
        self._read()
        return self._meetings.get(point)

    def _read(self) -> None:
        try:
            chunk = os.read(self._descriptor, 1 << 20)
        except BlockingIOError:
            return
        if not chunk:
            raise ChatroomError("the swarm's first process has gone")
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        for line in lines:
            meeting = msgspec.json.decode(line, type=Meeting)
            self._meetings[meeting.point] = meeting.values


def tell(note: Note) -> None:
    """Write a line to the parent. Raises BrokenPipeError when it has gone."""
    sys.stdout.buffer.write(msgspec.json.encode(note) + b"\n")
    sys.stdout.buffer.flush()


async def _tell_status(runner: Runner) -> None:
    meter = Meter(runner)
    while True:
        await trio.sleep(_STATUS_SECONDS)
        tell(Note(status=meter.status()))


def _first_line() -> bytes:
    """The order; read byte by byte, because what follows it is the barrier's."""
    line = bytearray()
    while not line.endswith(b"\n"):
        line += os.read(0, 1)
    return bytes(line)


def main() -> None:
    """Do what the parent orders."""
    order = msgspec.json.decode(_first_line(), type=Order)
    dialect = dialect_of(order.settings.dialect, order.rank)
    barrier = PipeBarrier(order, 0)

    async def run() -> ProcessResult:
        return await run_process(
            order.settings, dialect, run=order.run, barrier=barrier, watch=_tell_status
        )

    try:
        result = trio.run(run)
    except* ChatroomError as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        tell(Note(error=str(error)))
    else:
        tell(Note(result=result))


if __name__ == "__main__":
    main()
