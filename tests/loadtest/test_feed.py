"""The measurements of the feed run; what they find is not judged here."""

from __future__ import annotations

from loadtest.feed import latency
from loadtest.rows import Row, table


def test_a_short_race_has_a_row() -> None:
    (row,) = latency(repeat=1, seconds=0.2)

    assert row.figure.startswith("feed ")
    assert " µs, TCP " in row.figure


def test_the_table_says_what_is_reached() -> None:
    lines = table([Row("speed", "1 µs", "at most 2 µs", True), Row("loss", "1", "0", False)])

    assert list(lines)[2:] == [
        "| speed | 1 µs | at most 2 µs | yes |",
        "| loss | 1 | 0 | no |",
    ]
