"""A room on several servers: a process of the swarm for each, and one order across them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import pytest
import trio

from chatroom.swarm.figures.result import RunOutcome, RunResult
from chatroom.swarm.processes.team import run_together
from chatroom.swarm.settings import SwarmSettings
from tests.swarm.load.fake_room import FakeRoom

Held = dict[trio.SocketStream, list[list[bytes]]]


@dataclass
class FakeRoomOnTwo(FakeRoom):
    """See `FakeRoom`; it is on a second port too."""

    second_port: int = 0
    on_second: set[trio.SocketStream] = field(default_factory=set)
    swapped: range = range(0)  #: messages that the second server tells in the other order
    held: Held = field(default_factory=dict)

    async def run_second(self, *, task_status: trio.TaskStatus[None]) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.second_port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(trio.serve_listeners, self._serve_second, listeners))
            task_status.started()

    async def _serve_second(self, stream: trio.SocketStream) -> None:
        self.on_second.add(stream)
        await self.serve(stream)

    async def send(self, stream: trio.SocketStream, lines: list[bytes]) -> None:
        if stream in self.on_second and self.number - 1 in self.swapped:
            held = self.held.setdefault(stream, [])
            held.append(lines)
            if len(held) == len(self.swapped):
                for some in reversed(self.held.pop(stream)):
                    await super().send(stream, some)
        else:
            await super().send(stream, lines)


async def _run(room: FakeRoomOnTwo, warmup_seconds: float = 0.05) -> RunResult:
    async with trio.open_nursery() as nursery:
        port = await nursery.start(room.run)
        await nursery.start(room.run_second)
        work = SwarmSettings(
            servers=[("127.0.0.1", port), ("127.0.0.1", room.second_port)],
            processes=2,
            bots=8,
            talkers=2,
            rate=200,
            warmup_seconds=warmup_seconds,
            duration_seconds=0.3,
        )
        with trio.fail_after(60):
            result = await run_together(work, [], None)
        nursery.cancel_scope.cancel()
    return result


async def test_each_server_has_its_readers_and_its_figures() -> None:
    room = FakeRoomOnTwo()
    result = await _run(room)
    assert result.outcome in (RunOutcome.PASS, RunOutcome.GENERATOR_BOUND)
    assert result.same_order
    assert len(room.on_second) == 4
    first, second = result.servers
    assert (first.server, second.server) == (f"127.0.0.1:{room.port}",
                                             f"127.0.0.1:{room.second_port}")  # fmt: skip
    assert (first.readers, second.readers) == (4, 4)
    assert first.sent + second.sent == result.sent
    assert first.delivered + second.delivered == result.delivered == result.expected > 300
    assert second.latency.count == second.delivered
    assert second.faults == 0


@pytest.mark.parametrize("warmup_seconds", [0.05, 0.6])
async def test_a_server_that_tells_another_order_is_found_out(warmup_seconds: float) -> None:
    # Two in a row are of two talkers, of whom one hears only the other: no reader can see it alone.
    result = await _run(FakeRoomOnTwo(swapped=range(40, 42)), warmup_seconds)
    assert result.outcome is RunOutcome.FAULTS
    assert not result.same_order


@pytest.mark.parametrize(("formats", "ports"), [(1, [1, 2, 1, 2, 1, 2]), (3, [1, 1, 1, 2, 2, 2])])
def test_every_server_has_every_format(formats: int, ports: list[int]) -> None:
    work = SwarmSettings(servers=[("a", 1), ("b", 2)], formats=formats)
    assert [work.at(rank).port for rank in range(6)] == ports
    assert work.place == "a:1, b:2"
    assert work.at(5).place == "b:2"


def test_one_server_is_where_all_processes_are() -> None:
    work = SwarmSettings(host="::1", port=3)
    assert work.at(2) is work
    assert work.place == "[::1]:3"
