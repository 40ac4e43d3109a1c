"""When the next messages are due. Times are µs on the monotonic clock."""

from __future__ import annotations

from typing import Protocol

#: What is under way is taken for lost when nothing has come back for so long, so that a closed loop
#: goes on.
STALLED_US = 2_000_000


class Pacing(Protocol):
    """Tells when messages are due."""

    #: Does what is heard decide when the next one is due, and not a clock?
    answers: bool

    def due(self, now_us: int, under_way: int) -> list[int]:
        """The moments up to now at which messages were due that have not been asked for yet, where
        so many are under way.
        """

    def next_us(self) -> int | None:
        """When the next one is due; None: the clock alone does not tell."""

    def is_stalled(self, now_us: int, heard: int) -> bool:
        """Is what is under way not to be waited for any more? Asked often, with the messages heard
        so far.
        """

    def end(self) -> None:
        """Nothing is due in answer any more."""


class OpenLoop:
    """So many messages a second, whatever the server does: the pace of the outside world."""

    answers = False

    def __init__(self, rate: float, start_us: int) -> None:
        self._rate = rate
        self._start_us = start_us
        self._asked = 0

    def due(self, now_us: int, _under_way: int = 0) -> list[int]:
        dues = []
        while (next_us := self.next_us()) <= now_us:
            dues.append(next_us)
            self._asked += 1
        return dues

    def next_us(self) -> int:
        return self._start_us + int(self._asked * 1_000_000 / self._rate)

    def is_stalled(self, _now_us: int, _heard: int) -> bool:
        return False

    def end(self) -> None:
        """What was due by the clock is due, however late it is asked for."""


class ClosedLoop:
    """So many messages under way: a new one is due when the witness has heard an earlier one.

    The witness, not the slowest reader: a loop that waited for all would have the server idle while
    the swarm reads, and measure the two in turn (measured with 100 readers: 1.9 million deliveries
    a second against 3.4). A program in C that answers what it hears does the same.
    """

    answers = True

    def __init__(self, in_flight: int) -> None:
        self._in_flight = in_flight
        self._heard = 0
        self._moved_us = 0

    def due(self, now_us: int, under_way: int) -> list[int]:
        return [now_us] * (self._in_flight - under_way)

    def next_us(self) -> None:
        return None

    def is_stalled(self, now_us: int, heard: int) -> bool:
        """Has nothing come back for `STALLED_US`?"""
        if heard != self._heard or not self._moved_us:
            self._heard, self._moved_us = heard, now_us
        return now_us - self._moved_us > STALLED_US

    def end(self) -> None:
        self._in_flight = 0
