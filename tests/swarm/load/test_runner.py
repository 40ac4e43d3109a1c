"""Whole runs over real sockets, against a room that can be told to misbehave."""

from __future__ import annotations

import socket
import time
from typing import Any

import msgspec
import pytest
import trio

from chatroom.errors import ChatroomError
from chatroom.swarm.bots.poller import Poller
from chatroom.swarm.figures.result import EXIT_CODES, RunOutcome, RunResult
from chatroom.swarm.figures.status import Phase
from chatroom.swarm.figures.threshold import parse_threshold
from chatroom.swarm.load.load import Load
from chatroom.swarm.load.runner import Runner
from chatroom.swarm.processes.merge import merge, result_of
from chatroom.swarm.settings import SwarmSettings
from chatroom.swarm.wire.dialect import DIALECTS
from tests.swarm.load.fake_room import FakeRoom, Plant
from tests.swarm.load.fake_web_room import FakeWebRoom

BROKEN_AT = 40  # messages after the roll call


BRIEF = SwarmSettings(
    bots=6, talkers=2, rate=500.0, warmup_seconds=0.02, duration_seconds=0.3, size=60
)


async def load(room: FakeRoom, *limits: str, **work: Any) -> RunResult:
    """A short run against a room, both in this loop; `work` differs from `BRIEF`."""
    async with trio.open_nursery() as nursery:
        port = await nursery.start(room.run)
        settings = msgspec.structs.replace(BRIEF, port=port, **work)
        address = (socket.AF_INET, ("127.0.0.1", port))
        runner = Runner(settings, DIALECTS[settings.dialect](), address, run="4f2a")
        runner.shares_loop = True
        with trio.fail_after(60):
            await runner.run()
        nursery.cancel_scope.cancel()
    return merge([result_of(runner)], settings, [parse_threshold(limit) for limit in limits])


async def test_a_faithful_room_passes_with_every_delivery_counted() -> None:
    result = await load(FakeRoom())
    assert result.audit.clean(), result.audit
    assert result.outcome in (RunOutcome.PASS, RunOutcome.GENERATOR_BOUND)
    assert result.sent == 150
    # Six bots, and a message goes to all but its talker.
    assert result.expected == result.delivered == result.latency.count == 150 * 5
    assert result.send_lag.count == 150


async def test_everyone_leaves_in_order_and_nobody_counts_as_lost() -> None:
    room = FakeRoom()
    result = await load(room)
    assert room.quits == 6
    assert result.audit.disconnected == 0
    assert not result.errors


async def test_only_the_first_talker_calls_the_roll() -> None:
    # What the others said before the witness was in the room would be lost to it.
    said: list[bytes] = []

    def deaf_at_first(number: int, line: bytes) -> list[bytes]:
        said.append(line)
        return [] if number < 3 else [line]

    result = await load(FakeRoom(deaf_at_first, victim=0), talkers=4)
    assert result.audit.clean(), result.audit
    assert all(b":0000:" in line for line in said[:4])


async def test_a_server_that_lets_nobody_go_is_left_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chatroom.swarm.load.runner.LEAVE_US", 50_000)
    room = FakeRoom(lets_go=False)
    began = trio.current_time()
    result = await load(room)
    assert trio.current_time() - began < 10
    assert room.quits == 6
    assert result.audit.disconnected == 0


async def test_a_swarm_on_web_sockets_hears_everything_and_answers_pings() -> None:
    room = FakeWebRoom()
    result = await load(room, dialect="ws")
    assert result.audit.clean(), result.audit
    assert result.delivered == result.expected == 150 * 5
    assert len(room.hellos) == room.quits == 6
    assert room.pongs > 150


async def test_a_closed_loop_on_web_sockets_keeps_its_messages_in_flight() -> None:
    result = await load(FakeWebRoom(), dialect="ws", rate=None, in_flight=8)
    assert result.audit.clean(), result.audit
    assert result.delivered == result.expected == result.sent * 5 > 0


async def test_a_fault_on_a_web_socket_is_found_and_named() -> None:
    result = await load(FakeWebRoom(drop, victim=2), dialect="ws")
    assert (result.audit.faults.lost, result.audit.faults.total()) == (1, 1), result
    assert [reader.name for reader in result.audit.worst] == ["listener 2"]


async def test_the_close_code_of_a_web_socket_says_why_bots_could_not_enter() -> None:
    with pytest.RaisesGroup(
        pytest.RaisesExc(ChatroomError, match="closed by the server: 4408 no room")
    ):
        await load(FakeWebRoom(refusal="no room"), dialect="ws")


async def test_by_the_clock_the_swarm_never_sleeps_over_the_next_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept_until: list[tuple[int | None, int]] = []  # and when the next message was due
    due: list[int] = []
    wake_at, say_due, end = Poller.wake_at, Load.say_due, Load.end

    def note_due(load: Load, now: int) -> int | None:
        next_us = say_due(load, now)
        due[:] = [] if next_us is None else [next_us]
        return next_us

    def note_wake(poller: Poller, at_us: int | None) -> None:
        slept_until.extend((at_us, next_us) for next_us in due)
        wake_at(poller, at_us)

    def note_end(load: Load, due_before_us: int) -> None:
        end(load, due_before_us)
        due.clear()

    monkeypatch.setattr(Load, "say_due", note_due)
    monkeypatch.setattr(Load, "end", note_end)
    monkeypatch.setattr(Poller, "wake_at", note_wake)
    await load(FakeRoom(), rate=50, duration_seconds=0.5)  # with ticks in between
    assert len(slept_until) > 25
    assert all(at_us is not None and at_us <= next_us for at_us, next_us in slept_until)


async def test_what_was_due_is_said_even_by_a_process_that_had_no_turn_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load_until = Runner._load_until

    async def sleep_over(runner: Runner, stop_us: int) -> None:
        if runner.phase is Phase.MEASURING:
            await load_until(runner, stop_us)
        else:
            time.sleep(0.4)  # noqa: ASYNC251 - all of the warm-up and of the measured time

    monkeypatch.setattr(Runner, "_load_until", sleep_over)
    result = await load(FakeRoom())
    assert result.sent == 150
    assert result.audit.clean(), result.audit


async def test_without_a_witness_the_run_ends_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatroom.swarm.load.runner.QUIET_US", 100_000)

    def throw_out(number: int, line: bytes) -> list[bytes]:
        if number == BROKEN_AT:
            room.members[0].socket.shutdown(socket.SHUT_RDWR)
        return [line]

    room = FakeRoom(throw_out, victim=1)
    result = await load(room, duration_seconds=10.0)
    assert result.outcome is RunOutcome.FAULTS
    assert result.audit.disconnected == 1
    assert result.seconds < 5
    assert [reader.name for reader in result.audit.worst if reader.gone] == ["witness"]


async def test_a_closed_loop_goes_on_without_what_does_not_come_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chatroom.swarm.load.pacing.STALLED_US", 300_000)
    result = await load(FakeRoom(drop), rate=None, in_flight=1, duration_seconds=0.8)
    assert result.given_up == 1
    assert result.sent > BROKEN_AT + 2
    assert result.audit.faults.lost == 5


async def test_a_closed_loop_keeps_its_messages_in_flight() -> None:
    result = await load(FakeRoom(), rate=None, in_flight=4, bots=4)
    assert result.audit.clean(), result.audit
    assert result.sent > 20
    assert result.delivered == result.expected == result.sent * 3


async def test_all_bots_may_talk_and_a_witness_listens_beside_them() -> None:
    result = await load(FakeRoom(), bots=4, talkers=4)
    assert result.audit.clean(), result.audit
    assert result.audit.readers == 5
    assert result.delivered == result.expected == result.sent * 4


def drop(number: int, line: bytes) -> list[bytes]:
    return [] if number == BROKEN_AT else [line]


def double(number: int, line: bytes) -> list[bytes]:
    return [line, line] if number == BROKEN_AT else [line]


def flip(number: int, line: bytes) -> list[bytes]:
    return [line[:40] + bytes([line[40] ^ 4]) + line[41:]] if number == BROKEN_AT else [line]


class Swap:
    """Holds one message back until after the next."""

    held = b""

    def __call__(self, number: int, line: bytes) -> list[bytes]:
        if number == BROKEN_AT:
            self.held = line
            return []
        if number == BROKEN_AT + 1:
            return [line, self.held]
        return [line]


@pytest.mark.parametrize(
    ("plant", "found"),
    [(drop, "lost"), (double, "doubled"), (Swap(), "reordered"), (flip, "altered")],
)
async def test_a_planted_fault_at_one_listener_is_found_and_named(plant: Plant, found: str) -> None:
    result = await load(FakeRoom(plant, victim=2))
    assert getattr(result.audit.faults, found) == 1, result.audit
    assert result.audit.faults.total() == 1
    assert [reader.name for reader in result.audit.worst] == ["listener 2"]
    assert result.outcome is RunOutcome.FAULTS
    assert EXIT_CODES[result.outcome] == 3
    assert any(found in reason for reason in result.reasons)


@pytest.mark.parametrize(
    ("room", "altered", "found"),
    [
        (FakeRoom, (b"-t1:", b"-tt:"), "altered"),
        (FakeWebRoom, (b'-t1"', b'-tt"'), "altered"),
        (FakeWebRoom, (b'"seq": 40,', b'"seq": 11,'), "reordered"),
    ],
)
async def test_what_is_altered_alike_for_all_is_found(
    room: type[FakeRoom], altered: tuple[bytes, bytes], found: str
) -> None:
    plant: Plant = lambda _, line: [line.replace(*altered)]  # noqa: E731
    result = await load(room(plant), dialect="ws" if room is FakeWebRoom else "plain")
    assert getattr(result.audit.faults, found) == result.audit.faults.total() > 0
    assert result.outcome is RunOutcome.FAULTS


async def test_a_message_that_nobody_gets_is_lost_for_all_its_readers() -> None:
    result = await load(FakeRoom(drop))
    assert result.audit.faults.lost == 5
    assert result.outcome is RunOutcome.FAULTS


async def test_what_comes_again_a_moment_after_the_last_is_doubled(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatroom.swarm.load.runner.ECHO_US", 60_000)

    scope = trio.CancelScope()  # of the last message's echo: the others' are called off

    def again(number: int, line: bytes) -> list[bytes]:
        scope.cancel()
        nursery.start_soon(say_again, line)
        return [line]

    async def say_again(line: bytes) -> None:
        nonlocal scope
        with trio.CancelScope() as scope:
            await trio.sleep(0.03)
            await room.members[2].send_all(line)

    room = FakeRoom(again, victim=2)
    result = await load(room, rate=100)
    assert result.audit.faults.doubled == result.audit.faults.total() >= 1, result.audit
    assert result.outcome is RunOutcome.FAULTS


async def test_a_stall_shows_in_the_p99_and_crosses_the_threshold() -> None:
    result = await load(FakeRoom(stall_at=60, stall_seconds=0.2), "p99<100ms", rate=1000)
    assert result.audit.clean(), result.audit
    p99 = result.latency.percentiles_us["99"]
    assert p99 is not None
    assert p99 > 150_000
    assert [limit.kept for limit in result.thresholds] == [False]
    assert result.outcome in (RunOutcome.THRESHOLD, RunOutcome.GENERATOR_BOUND)


async def test_where_nobody_listens_the_error_says_what_to_do() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        address = (socket.AF_INET, ("127.0.0.1", port))
        settings = SwarmSettings(port=port, bots=2)
        runner = Runner(settings, DIALECTS["plain"](), address, run="4f2a")
        runner.shares_loop = True
        with pytest.raises(ChatroomError, match="start a room there with 'chatroom serve'"):
            await runner.run()
