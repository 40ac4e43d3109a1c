"""What is counted while the room runs: plain numbers, made into figures when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from chatroom.event import EVENT_KINDS

#: Seconds. A lone message's turn takes 20 µs, one for 10,000 readers some 50 ms.
TURN_BOUNDS = (
    10e-6,
    25e-6,
    50e-6,
    100e-6,
    250e-6,
    500e-6,
    1e-3,
    2.5e-3,
    5e-3,
    10e-3,
    25e-3,
    0.1,
    1,
)
#: Drafts.
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


class Histogram:
    """Counts of values in fixed buckets, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds  #: the greatest value of each bucket; one more is without bound
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value: 0.2 µs."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Counters:
    """Of one server, from its start. Written in Trio's thread only; read anywhere."""

    __slots__ = (
        "accepted",
        "batches",
        "deliveries",
        "ended_received_bytes",
        "events",
        "loop_lag_seconds",
        "sent_bytes",
        "turns",
    )

    def __init__(self) -> None:
        self.accepted = 0  #: connections
        self.events = dict.fromkeys(sorted(EVENT_KINDS), 0)  #: by kind
        self.deliveries = 0  #: events and notices, times those they were handed to
        self.sent_bytes = 0  #: handed to connections' outboxes
        self.ended_received_bytes = 0  #: from connections that have ended
        self.batches = Histogram(BATCH_BOUNDS)  #: drafts in a turn
        self.turns = Histogram(TURN_BOUNDS)  #: seconds that a turn took, to the last send
        self.loop_lag_seconds = 0.0  #: how late the event loop woke a sleeper, the last time
