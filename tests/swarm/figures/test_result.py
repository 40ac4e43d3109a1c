"""What a run says in a word, from its figures."""

from __future__ import annotations

from typing import Any

import pytest

from chatroom.swarm.figures.environment import environment
from chatroom.swarm.figures.feed import FeedFigures, ListenerFigures
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
        errors={},
        series=[],
        **(whole | figures),
    )
    conclude(result, interrupted=interrupted)
    return result


def heard(*, received: int = 0, lost: int = 0) -> FeedFigures:
    return FeedFigures([ListenerFigures("witness", received=received, lost=lost)])


def test_a_run_in_which_all_came_passes() -> None:
    assert concluded().outcome is RunOutcome.PASS
    assert concluded(feed=heard(received=10)).outcome is RunOutcome.PASS


def test_a_listeners_own_report_of_a_loss_is_a_fault() -> None:
    result = concluded(feed=heard(received=10, lost=3))
    assert result.outcome is RunOutcome.FAULTS
    assert result.reasons == ["the listeners report 3 events lost"]


@pytest.mark.parametrize(
    "figures",
    [
        {"sent": 0, "expected": 0, "delivered": 0},
        {"talkers": 0, "feed": heard()},
    ],
)
def test_where_nothing_was_measured_nothing_passes(figures: dict[str, Any]) -> None:
    result = concluded(**figures)
    assert result.outcome is RunOutcome.FAULTS
    assert result.reasons == ["nothing was measured: no message came in that time"]


def test_what_is_there_without_talkers_of_ones_own_is_something() -> None:
    result = concluded(talkers=0, feed=heard(received=1), sent=0, expected=0, delivered=0)
    assert result.outcome is RunOutcome.PASS


def test_a_run_that_was_stopped_before_it_measured_is_but_stopped() -> None:
    result = concluded(interrupted=True, sent=0, expected=0, delivered=0)
    assert result.outcome is RunOutcome.INTERRUPTED
