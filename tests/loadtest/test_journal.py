"""The harness of the journal's figures, not the figures."""

from __future__ import annotations

from pathlib import Path

from chatroom.journal.browse import Wanted, browse
from loadtest.journal import Place, acks, fanout, fill


def test_a_journal_is_filled(tmp_path: Path) -> None:
    fill(tmp_path / "large.db", 10_000)
    events = list(browse(tmp_path / "large.db", Wanted(last=2)))
    assert [event.seq for event in events if hasattr(event, "seq")] == [9_999, 10_000]


def test_acks_are_counted(tmp_path: Path) -> None:
    rate, p99 = acks(Place(tmp_path), 2)  # a busy machine takes its time
    assert float(rate.figure.replace(",", "")) > 0
    assert p99.figure.endswith(" ms")


def test_the_fan_out_is_compared(tmp_path: Path) -> None:
    (figure,) = fanout(Place(tmp_path), 1, 0.2)
    assert float(figure.figure.split()[0]) > 0
