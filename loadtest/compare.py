"""Runs workloads against peers, interleaved, and keeps every figure."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

from chatroom.errors import ChatroomError
from chatroom.swarm.figures.environment import Environment, environment
from chatroom.swarm.figures.result import RunResult
from loadtest.generator import Assignment
from loadtest.peers import HOST, NULL, Peer
from loadtest.running import Running, on_core, running
from loadtest.work import DELIVERIES, Measure, Observed, Work

SCHEMA = 1

#: A result above this part of what the generator reaches by itself says more about the generator.
GENERATOR_PART = 0.7

#: Longer than any run takes: connecting, roll call, warm-up, measured time, draining.
RUN_SECONDS = 180.0


class Figures(msgspec.Struct):
    """All runs of one workload against one peer."""

    peer: str
    values: dict[str, list[float]] = {}  #: by measure, in the order of the runs
    server_cpu_share: list[float] = []  #: of the core that it had
    generator_cpu_share: list[float] = []
    faults: int = 0  #: what the audits found, all runs together
    notes: list[str] = []  #: runs that were not possible, and why
    limited_by_generator: bool = False

    def median(self, key: str) -> float | None:
        """The median of a measure; None without a run."""
        values = self.values.get(key)
        return statistics.median(values) if values else None


class WorkFigures(msgspec.Struct):
    """One workload against all peers."""

    work: str
    title: str
    format: str
    measures: list[str]
    figures: list[Figures]
    #: Deliveries a second that the generator could take at most, if this workload is about that.
    generator_capacity: float | None = None

    def of(self, peer: str) -> Figures | None:
        """A peer's figures, if it was run."""
        return next((some for some in self.figures if some.peer == peer), None)


class Comparison(msgspec.Struct):
    """The results as `results.json` has them."""

    command: str
    began: str  #: UTC
    repeat: int
    seconds: float  #: the measured time of each run
    environment: Environment
    cores: str  #: how they were shared out
    versions: dict[str, str]  #: of the peers
    left_out: dict[str, str]  #: peers that could not run here, and why
    works: list[WorkFigures]
    schema: int = SCHEMA


class Plan(msgspec.Struct):
    """What to compare."""

    peers: Sequence[Peer]
    works: Sequence[Work]
    repeat: int
    server_core: int | None
    generator_core: int | None


def compare(plan: Plan, results: Comparison, tell: Callable[[str], None]) -> None:
    """Run everything and fill `results` as it goes, so that an interrupted comparison keeps some.

    Args:
        plan: what to run. Each repeat goes through all works, and each work through all peers, so
            that whatever else the machine does meanwhile touches all of them alike.
        results: gets the figures.
        tell: is given a line for each run.
    """
    for round_number in range(plan.repeat):
        for work in plan.works:
            entry = next(some for some in results.works if some.work == work.name)
            contestants = [peer for peer in (NULL, *plan.peers) if fits(peer, work)]
            # Each round begins with another peer.
            shift = round_number % max(1, len(contestants))
            for peer in contestants[shift:] + contestants[:shift]:
                _one(plan, work, peer, entry, tell)
            _mark(entry)


def fits(peer: Peer, work: Work) -> bool:
    """Does the peer speak the workload's format and hold its clients?"""
    return work.format in peer.formats and work.clients() <= peer.most_clients


def _one(
    plan: Plan, work: Work, peer: Peer, entry: WorkFigures, tell: Callable[[str], None]
) -> None:
    figures = entry.of(peer.name)
    if figures is None:
        figures = Figures(peer.name)
        entry.figures.append(figures)
    began = time.monotonic()
    try:
        with running(peer, work.format, plan.server_core) as server:
            seen = run_once(work, peer, server, plan.generator_core)
    except ChatroomError as error:
        figures.notes.append(str(error))
        tell(f"{work.name:22} {peer.name:10} not possible: {error}")
        return
    parts = []
    for measure in work.measures:
        if (value := measure.read(seen)) is not None:
            figures.values.setdefault(measure.key, []).append(value)
            parts.append(f"{measure.title} {amount(measure, value)}")
    figures.generator_cpu_share.append(seen.result.cpu_share)
    figures.server_cpu_share.append(seen.cpu_seconds)
    figures.faults += _faults(seen.result)
    took = time.monotonic() - began
    tell(f"{work.name:22} {peer.name:10} {', '.join(parts) or 'n/a'}  ({took:.0f} s)")


def _faults(result: RunResult) -> int:
    """What speaks against a run's figures."""
    audit, slowed = result.audit, sum(result.slowed.values())
    return audit.faults.total() + audit.disconnected + slowed + (not result.same_order)


def run_once(work: Work, peer: Peer, server: Running, core: int | None) -> Observed:
    """One run of the generator, in a process of its own.

    Raises:
        ChatroomError: the run was not possible.
    """
    settings = msgspec.structs.replace(
        work.settings,
        host=HOST,
        port=server.port,
        dialect=peer.formats[work.format],
        ramp=peer.ramp,
    )
    with on_core(core):
        generator = subprocess.Popen(
            [sys.executable, "-m", "loadtest.generator"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    assignment = msgspec.json.encode(Assignment(settings, core))
    most, began, cpu = 0, time.monotonic(), server.cpu_seconds()
    given: bytes | None = assignment
    try:
        while True:
            most = max(most, server.resident_bytes())
            try:
                output, errors = generator.communicate(given, timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                given = None
                if time.monotonic() - began > RUN_SECONDS:
                    raise ChatroomError(f"no end within {RUN_SECONDS:.0f} s") from None
    finally:
        generator.kill()
        generator.wait()
    if generator.returncode != 0:
        lines = errors.decode(errors="replace").strip().splitlines()
        raise ChatroomError(lines[-1] if lines else "the generator died")
    result = msgspec.json.decode(output, type=RunResult)
    return Observed(result, most, server.cpu_seconds() - cpu)


def _mark(entry: WorkFigures) -> None:
    """Mark what the generator, not the server, has limited."""
    null = entry.of(NULL.name)
    if null is None or DELIVERIES.key not in entry.measures:
        return
    rates = null.values.get(DELIVERIES.key, [])
    if not rates:
        return
    # Against the null server the generator may still wait for the kernel's sends on the other
    # core: what it did with the part of its core that it used says how far all of it would go.
    capacities = [
        rate / max(min(share, 1.0), 0.01)
        for rate, share in zip(rates, null.generator_cpu_share, strict=False)
    ]
    entry.generator_capacity = statistics.median(capacities)
    for figures in entry.figures:
        median = figures.median(DELIVERIES.key)
        figures.limited_by_generator = (
            median is not None and median > GENERATOR_PART * entry.generator_capacity
        )


def amount(measure: Measure, value: float) -> str:
    """A figure with its unit, for people."""
    if measure.unit == "µs":
        return f"{value:,.0f} µs" if value < 10_000 else f"{value / 1000:,.1f} ms"
    if measure.unit == "MB":
        return f"{value:,.1f} MB"
    return f"{value:,.0f}{measure.unit}"


def empty(plan: Plan, command: str, left_out: dict[str, str], seconds: float) -> Comparison:
    """The results before the first run."""
    cores = (
        f"server on core {plan.server_core}, generator on core {plan.generator_core}"
        if plan.server_core is not None
        else "not pinned"
    )
    return Comparison(
        command=command,
        began=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        repeat=plan.repeat,
        seconds=seconds,
        environment=environment(),
        cores=cores,
        versions={peer.name: version_of(peer) for peer in plan.peers},
        left_out=left_out,
        works=[
            WorkFigures(
                work.name, work.title, work.format, [some.key for some in work.measures], []
            )
            for work in plan.works
        ],
    )


def version_of(peer: Peer) -> str:
    """What an installed peer says its version is; empty for those that come with this project."""
    option = {"mosquitto": "-h"}.get(peer.program, "--version")
    if not peer.program:
        return ""
    with on_core(None):
        shown = subprocess.run([peer.path(), option], capture_output=True, text=True, check=False)
    lines = (shown.stdout or shown.stderr).strip().splitlines()
    return lines[0].strip() if lines else ""
