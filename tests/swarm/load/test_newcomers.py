"""Those who come all at once: when each is in, and how many a second that makes."""

from __future__ import annotations

from typing import Any, cast

import pytest

from chatroom.swarm.bots.bot import DEAF
from chatroom.swarm.figures.newcomers import NewcomerFigures
from chatroom.swarm.load.newcomers import Newcomers
from chatroom.swarm.wire.payload import Mark, Payload

BEGIN_US = 1_000_000


class PaperBot:
    """A newcomer that is connected as soon as it begins."""

    def __init__(self) -> None:
        self.ear: Any = None
        self.started = self.entered = False
        self.gone = ""

    def start(self) -> None:
        self.started = self.entered = True


def _newcomers(count: int) -> tuple[Newcomers, list[PaperBot], Payload]:
    bots, payload = [PaperBot() for _ in range(count)], Payload("kf2a", 64)
    return Newcomers(cast("Any", bots), payload, BEGIN_US), bots, payload


def test_they_begin_in_turns_and_not_before_their_time() -> None:
    newcomers, bots, _ = _newcomers(40)
    assert newcomers.step(BEGIN_US - 1) == BEGIN_US
    assert not bots[0].started
    for begun in (16, 32, 40):
        newcomers.step(BEGIN_US)
        assert sum(bot.started for bot in bots) == begun


def test_each_is_in_by_the_first_that_heard_the_same_message() -> None:
    newcomers, bots, payload = _newcomers(40)
    newcomers.step(BEGIN_US)
    heard_us = (BEGIN_US + 100_000, BEGIN_US + 200_000, BEGIN_US + 300_000)
    for number, (at_us, hearers) in enumerate(
        zip(heard_us, (bots[:10], bots[10:30], bots[30:]), strict=True)
    ):
        text = b"bot: " + payload.write(Mark(0, number, at_us)) + b"\n"
        for late_us, bot in enumerate(hearers):
            bot.ear.hear(at_us + late_us, memoryview(b"-- welcome\n"))
            bot.ear.hear(at_us + 1000 * late_us, memoryview(text))
            assert bot.ear is DEAF
    figures = newcomers.figures()
    assert (figures.newcomers, figures.entered) == (40, 40)
    assert figures.seconds == pytest.approx(0.309)
    assert figures.per_second == pytest.approx(30 / 0.2)


@pytest.mark.parametrize(
    ("in_by", "per_second"),
    [
        ([], 0.0),
        ([(0.1, 50)], 500.0),  # all before anything was said: at least that
        ([(0.1, 20), (0.2, 50)], 200.0),
        ([(0.1, 20), (0.2, 40)], 200.0),  # not all came
    ],
)
def test_a_rate_is_counted_where_not_all_are_in(
    in_by: list[tuple[float, int]], per_second: float
) -> None:
    figures = NewcomerFigures.of(50, in_by, 0.2, [])
    assert figures.per_second == pytest.approx(per_second)
