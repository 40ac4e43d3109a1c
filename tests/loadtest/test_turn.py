"""The harness of the figures on a turn, not the figures."""

from __future__ import annotations

import pytest

from loadtest import turn


def test_a_turn_is_held_against_the_sends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "READERS", (3,))
    row, shared = turn.measure(1, 0.01)
    assert row.name == "3 readers"
    assert shared.name == "3 readers, a sender thread"
    assert 0 < float(shared.figure.partition(" ms, without ")[0]) < 1000
    taken, _, rest = row.figure.partition(" ms, the sends alone ")
    assert 0 < float(taken) < 1000
    assert 0 < float(rest.partition(" ms: ")[0]) < 1000
