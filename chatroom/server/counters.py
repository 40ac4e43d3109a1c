"""What is counted while the room runs: plain numbers, made into figures when somebody asks."""

from __future__ import annotations

from chatroom.event import EVENT_KINDS
from chatroom.server.fairness.shares import REASONS

#: What one may say only so much of a second, and what all may together; see
#: `chatroom.server.fairness.pace`.
SLOWED = ("messages", "queries", "renames", "room")


class Histogram:
    """Counts of whole numbers by their length in bits, and their sum: so an observation is a tenth
    of a microsecond.
    """

    __slots__ = ("counts", "total")

    #: One bucket for each length: 0, 1, 2 to 3, 4 to 7 and so on; what is longer is in the last.
    BUCKETS = 22

    def __init__(self) -> None:
        self.counts = [0] * self.BUCKETS
        self.total = 0

    def observe(self, value: int) -> None:
        """Count a value that is not negative."""
        bits = value.bit_length()
        self.counts[bits if bits < self.BUCKETS else -1] += 1
        self.total += value

    @classmethod
    def bounds(cls) -> list[int]:
        """The greatest value of each bucket but the last, which has no bound."""
        return [(1 << bits) - 1 for bits in range(cls.BUCKETS - 1)]


class Counters:
    """Of one server, from its start. Written in Trio's thread only; read anywhere."""

    __slots__ = (
        "accepted",
        "audience_bytes",
        "batches",
        "deliveries",
        "ended_received_bytes",
        "events",
        "held_back",
        "loop_lag_seconds",
        "slowed",
        "turned_away",
        "turns",
    )

    def __init__(self) -> None:
        self.accepted = 0  #: connections
        self.turned_away = dict.fromkeys(REASONS, 0)  #: newcomers, by reason
        self.events = dict.fromkeys(sorted(EVENT_KINDS), 0)  #: by kind
        self.deliveries = 0  #: events and notices, times those they were handed to
        self.audience_bytes = 0  #: sent to whole audiences, times their connections
        self.ended_received_bytes = 0  #: from connections that have ended
        self.batches = Histogram()  #: drafts in a turn
        self.turns = Histogram()  #: microseconds that a turn took, to the last send
        self.slowed = dict.fromkeys(SLOWED, 0)  #: times somebody was slowed down, by what it said
        self.held_back = 0  #: connections that are not read from now, by their rate or the room's
        self.loop_lag_seconds = 0.0  #: how late the event loop woke a sleeper, the last time
