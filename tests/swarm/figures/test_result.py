"""What a run says in a word, from its figures."""

from __future__ import annotations

from typing import Any

import pytest

from chatroom.swarm.figures.feed import FeedFigures, ListenerFigures
from chatroom.swarm.figures.result import RunOutcome
from tests.swarm.figures.result import concluded


def heard(*, received: int = 0, lost: int = 0) -> FeedFigures:
    return FeedFigures([ListenerFigures("witness", received=received, lost=lost)])


def test_a_run_in_which_all_came_passes() -> None:
    assert concluded().outcome is RunOutcome.PASS
    assert concluded(feed=heard(received=10)).outcome is RunOutcome.PASS


def test_a_listeners_own_report_of_a_loss_is_a_fault() -> None:
    result = concluded(feed=heard(received=10, lost=3))
    assert result.outcome is RunOutcome.FAULTS
    assert result.reasons == ["the listeners report 3 events lost"]


def test_who_only_talks_is_not_to_lose_its_connection_either() -> None:
    result = concluded(errors={"closed by the server": 2})
    assert result.outcome is RunOutcome.FAULTS
    assert result.reasons == ["2 bots lost their connection"]


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
