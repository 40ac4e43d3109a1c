"""Limits: what can be written, and when they are kept."""

from __future__ import annotations

import pytest

from chatroom.swarm.figures.threshold import parse_threshold


@pytest.mark.parametrize(
    ("text", "figures", "kept"),
    [
        ("p99<5ms", {"p99": 4_999}, True),
        ("p99<5ms", {"p99": 5_000}, False),
        ("p99 <= 5ms", {"p99": 5_000}, True),
        ("p99.9<1s", {"p99.9": 999_999}, True),
        ("max<250us", {"max": 251}, False),
        ("lost<=0", {"lost": 0}, True),
        ("delivered_per_second>=1000", {"delivered_per_second": 999.5}, False),
        ("p99<5ms", {"p99": None}, False),
    ],
)
def test_a_limit_is_kept_or_not(text: str, figures: dict[str, float | None], kept: bool) -> None:
    assert parse_threshold(text).kept(figures) is kept


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("p99", "write one like"),
        ("p99<5", "needs a unit"),
        ("p98<5ms", "a limit is on one of"),
        ("lost<5ms", "only the latencies have a unit"),
        ("p99<5.5.5ms", "is no number"),
    ],
)
def test_what_is_no_limit_is_refused_with_what_was_expected(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_threshold(text)
