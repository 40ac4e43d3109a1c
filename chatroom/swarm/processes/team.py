"""A swarm of several processes: each drives a share of the bots, and all see one room.

Every message carries the time when it was due, on a clock that all processes of a host share, so a
bot tells the latency of another process's talker too. In a closed loop (`--in-flight`) a process
counts a message as arrived when its own witness has heard it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import msgspec
import trio

from chatroom.errors import ChatroomError
from chatroom.swarm.figures.result import RunResult
from chatroom.swarm.figures.status import Phase, Status
from chatroom.swarm.figures.threshold import Threshold
from chatroom.swarm.processes.merge import ProcessResult, merge
from chatroom.swarm.processes.worker import Meeting, Note, Order
from chatroom.swarm.report.live import show
from chatroom.swarm.settings import SwarmSettings
from chatroom.swarm.wire.payload import new_run

_ORDER_OF_PHASES = list(Phase)


class _Team:
    """The workers, as their parent knows them."""

    def __init__(self, settings: SwarmSettings) -> None:
        self.settings = settings
        self.processes: list[trio.Process] = []
        self.results: dict[int, ProcessResult] = {}
        self._arrived: dict[str, dict[int, Any]] = {}
        self._status: dict[int, Status] = {}

    def status(self) -> Status:
        """All workers' status as one: what is counted is summed, of the rest the worst."""
        all_of_them = list(self._status.values())
        if len(all_of_them) < self.settings.processes:
            return Status(bots=self.settings.bots)
        return Status(
            phase=min((one.phase for one in all_of_them), key=_ORDER_OF_PHASES.index),
            connected=sum(one.connected for one in all_of_them),
            bots=sum(one.bots for one in all_of_them),
            seconds=min(one.seconds for one in all_of_them),
            sent_per_second=sum(one.sent_per_second for one in all_of_them),
            delivered_per_second=sum(one.delivered_per_second for one in all_of_them),
            p50_us=_worst([one.p50_us for one in all_of_them]),
            p99_us=_worst([one.p99_us for one in all_of_them]),
            lag_p99_us=_worst([one.lag_p99_us for one in all_of_them]),
            errors=sum(one.errors for one in all_of_them),
        )

    async def take(self, rank: int, note: Note) -> None:
        """A worker has told something.

        Raises:
            ChatroomError: its run is not possible.
        """
        if note.error:
            raise ChatroomError(note.error)
        if note.status is not None:
            self._status[rank] = note.status
        if note.result is not None:
            self.results[rank] = note.result
        if note.point:
            arrived = self._arrived.setdefault(note.point, {})
            arrived[rank] = note.value
            if len(arrived) == self.settings.processes:
                values = [arrived[other] for other in range(self.settings.processes)]
                for process in self.processes:
                    await _write(process, Meeting(note.point, values))

    def stop(self) -> None:
        """End the load early."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)


def _worst(values: Sequence[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


async def run_together(
    settings: SwarmSettings, thresholds: Sequence[Threshold], watch: TextIO | None
) -> RunResult:
    """A run in `settings.processes` processes.

    Raises:
        ChatroomError: the bots could not enter the room.
    """
    team, run = _Team(settings), new_run()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_forward_signals, team)
            if watch is not None:
                nursery.start_soon(show, team, settings, watch)
            async with trio.open_nursery() as workers:
                for rank in range(settings.processes):
                    process = await _spawn()
                    team.processes.append(process)
                    await _write(process, Order(settings, run, rank))
                for rank, process in enumerate(team.processes):
                    workers.start_soon(_listen, team, rank, process)
            nursery.cancel_scope.cancel()
    finally:
        for process in team.processes:
            process.kill()
            with trio.CancelScope(deadline=trio.current_time() + 5, shield=True):
                await process.wait()
    return merge([team.results[rank] for rank in range(settings.processes)], settings, thresholds)


async def _spawn() -> trio.Process:
    return await trio.lowlevel.open_process(
        [sys.executable, "-m", "chatroom.swarm.processes.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A group of its own: Ctrl-C goes to the parent alone, which passes it on once.
        start_new_session=True,
    )


async def _write(process: trio.Process, message: msgspec.Struct) -> None:
    assert process.stdin is not None
    try:
        await process.stdin.send_all(msgspec.json.encode(message) + b"\n")
    except trio.BrokenResourceError:
        raise ChatroomError("one of the swarm's processes has died") from None


async def _listen(team: _Team, rank: int, process: trio.Process) -> None:
    assert process.stdout is not None
    partial = b""
    async for chunk in process.stdout:
        *lines, partial = (partial + chunk).split(b"\n")
        for line in lines:
            await team.take(rank, msgspec.json.decode(line, type=Note))
    if rank not in team.results:
        raise ChatroomError("one of the swarm's processes has died")


async def _forward_signals(team: _Team) -> None:
    stopping = False
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            if stopping:
                raise KeyboardInterrupt
            stopping = True
            team.stop()
