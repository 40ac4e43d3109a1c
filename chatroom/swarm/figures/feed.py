"""What the listeners of the feed have counted."""

from __future__ import annotations

import msgspec

from chatroom.feed.statistics import Durations

#: How many of the listeners that lost or repaired most are named.
NAMED = 10


class ListenerFigures(msgspec.Struct):
    """One listener's counts, of messages unless the name says otherwise; see `/stats`."""

    name: str
    datagrams: int = 0
    ignored: int = 0
    requests: int = 0
    gaps: int = 0
    received: int = 0
    duplicates: int = 0
    reordered: int = 0
    repaired: int = 0
    lost: int = 0
    kernel_drops: int = 0
    repair_p50_ms: float | None = None
    repair_p99_ms: float | None = None
    #: How many repairs took `1.05 ** step` seconds, by step.
    repair_steps: dict[int, int] = {}


class FeedFigures(msgspec.Struct):
    """All listeners' counts."""

    listeners: list[ListenerFigures]

    def total(self, name: str) -> int:
        """The sum of one count."""
        return sum(getattr(listener, name) for listener in self.listeners)

    def repair_seconds(self, per_cent: float) -> float | None:
        """A percentile of all listeners' repairs; None without any."""
        times = Durations()
        for listener in self.listeners:
            times.add_counts(listener.repair_steps)
        return times.percentile(per_cent)

    def worst(self) -> list[ListenerFigures]:
        """Those with most lost, then with most repaired; none where nothing was."""
        hit = [one for one in self.listeners if one.lost or one.repaired]
        return sorted(hit, key=lambda one: (-one.lost, -one.repaired))[:NAMED]
