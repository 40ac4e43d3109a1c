"""The harness of the figures on a turn, not the figures."""

from __future__ import annotations

import re

import pytest

from loadtest import turn


def test_a_turn_is_held_against_the_same_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "READERS", (3,))
    alone, shared = turn.measure(1, 0.01)
    assert alone.name == "3 readers, one thread"
    assert shared.name == "3 readers, a sender thread"
    for row in (alone, shared):
        figures = re.fullmatch(r"(\S+) ms, in C (\S+) ms: \S+ of it", row.figure)
        assert figures is not None
        assert all(0 < float(milliseconds) < 1000 for milliseconds in figures.groups())
