"""Results without a run."""

from __future__ import annotations

from typing import Any

from chatroom.swarm.figures.environment import environment
from chatroom.swarm.figures.histogram import Histogram
from chatroom.swarm.figures.result import RunOutcome, RunResult, conclude, latency_of
from chatroom.swarm.figures.verdict import Faults, Verdict
from chatroom.swarm.settings import SwarmSettings


def concluded(*, interrupted: bool = False, talkers: int = 1, **figures: Any) -> RunResult:
    """A run without a fault, but for these figures."""
    nothing = latency_of(Histogram())
    whole: dict[str, Any] = {
        "sent": 10,
        "expected": 20,
        "delivered": 20,
        "audit": Verdict(2, 10, Faults(), 0, [], 0),
        "errors": {},
        "feed": None,
    }
    result = RunResult(
        outcome=RunOutcome.PASS,
        reasons=[],
        settings=SwarmSettings(talkers=talkers),
        environment=environment(),
        seconds=1.0,
        connect_seconds=0.0,
        sent_per_second=0.0,
        delivered_per_second=0.0,
        cpu_share=0.0,
        latency=nothing,
        send_lag=nothing,
        series=[],
        **(whole | figures),
    )
    conclude(result, interrupted=interrupted)
    return result
