"""The cost of sealing: that it is measured, not what it is."""

from __future__ import annotations

import pytest

from loadtest import sealing


def test_each_end_has_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "ROUNDS", 1)
    figures = sealing.sealing(1)
    assert list(figures) == [
        "packed in the clear",
        "packed, sealed",
        "unpacked in the clear",
        "unpacked, opened",
    ]
    assert all(microseconds > 0 for microseconds in figures.values())
