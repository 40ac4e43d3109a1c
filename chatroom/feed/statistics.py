"""What the two ends of a feed count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, log


@dataclass(frozen=True, slots=True)
class FeedStatistics:
    """Of a server's feed, since it began: a snapshot."""

    packets: int  #: sent to the group: datagrams with events, heartbeats, ends of session
    bytes: int  #: of these, without the headers of the network
    send_failures: int  #: packets for the group that could not be sent
    requests: int  #: datagrams that came to the request port
    answers: int  #: requests that were answered, each with one datagram
    refusals: Mapping[str, int]  #: requests that got silence, by why (`answering.Fate`)


class Durations:
    """Durations in seconds, counted in steps of five per cent: small however many there are."""

    _STEP = log(1.05)

    def __init__(self) -> None:
        self._steps: Counter[int] = Counter()
        self.count = 0

    def add(self, seconds: float) -> None:
        """Count one duration; less than a microsecond counts as a microsecond."""
        self._steps[round(log(max(seconds, 1e-6)) / self._STEP)] += 1
        self.count += 1

    def add_counts(self, counts: Mapping[int, int]) -> None:
        """Count those that another one has counted."""
        self._steps.update(counts)
        self.count += sum(counts.values())

    @property
    def counts(self) -> Mapping[int, int]:
        """How many durations there were of each step: of `1.05 ** step` seconds, about."""
        return self._steps

    def percentile(self, per_cent: float) -> float | None:
        """The duration, in seconds, that `per_cent` of those counted do not exceed.

        None without any.
        """
        reached = 0
        for step in sorted(self._steps):
            reached += self._steps[step]
            if reached * 100 >= per_cent * self.count:
                return exp(step * self._STEP)
        return None


@dataclass(slots=True)
class ListenerStatistics:
    """Of one listener, since it began: numbers of messages, where nothing else is said."""

    datagrams: int = 0  #: everything that came, from the group or as an answer
    ignored: int = 0  #: not MoldUDP64, of another session, or from a stranger
    unopened: int = 0  #: messages of a sealed feed that could not be opened
    requests: int = 0  #: questions sent
    gaps: int = 0  #: holes noticed, each of one message or more
    received: int = 0  #: delivered
    duplicates: int = 0  #: came more than once
    reordered: int = 0  #: were missing and came by themselves
    repaired: int = 0  #: were missing and came as an answer
    lost: int = 0  #: reported as lost
    rejoined: int = 0  #: times that an interface had come back as another, and was joined there
    kernel_drops: int = 0  #: datagrams that did not fit the socket's buffer
    repair_times: Durations = field(default_factory=Durations)

    def as_dict(self) -> dict[str, int | float | None]:
        """The figures by name; `repair_p50_ms` and `repair_p99_ms` are None without a repair."""
        figures: dict[str, int | float | None] = {
            name: getattr(self, name) for name in self.__slots__ if name != "repair_times"
        }
        for per_cent in (50, 99):
            seconds = self.repair_times.percentile(per_cent)
            figures[f"repair_p{per_cent}_ms"] = seconds and round(seconds * 1000, 2)
        return figures
