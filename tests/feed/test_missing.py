"""The bounds of what a listener keeps, and what it forgets of what was never sent."""

from __future__ import annotations

import pytest

from chatroom.feed import stream as stream_module
from chatroom.feed.missing import Missing, Stretch
from chatroom.feed.statistics import ListenerStatistics
from chatroom.feed.stream import Stream


def test_numbers_that_nobody_has_sent_are_forgotten() -> None:
    missing = Missing()
    missing.append(Stretch(1, 10, 0.0, 0.0))
    missing.truncate(5)
    assert [(stretch.first, stretch.end) for stretch in missing] == [(1, 5)]
    assert missing.found(4)
    assert missing.found(7) is None


def test_no_more_is_kept_before_its_turn_than_the_buffer_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_module, "BUFFER_MESSAGES", 5)
    stream = Stream(1, ListenerStatistics())
    stream.take_group(2, [b"x"] * 20, 0.0)
    assert stream.buffered[0] == 4  # of the five numbers from 1 on
    assert stream.end == 22
