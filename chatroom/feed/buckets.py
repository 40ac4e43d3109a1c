"""How much may be answered: token buckets, for each source and for all together."""

from __future__ import annotations

from dataclasses import dataclass

#: Sources whose buckets are remembered; beyond it the one unused for longest is forgotten. With
#: forged sources it is the bucket for all that holds.
SOURCES = 1024


#: For so long a share is counted. In all, no more than comes into the bucket meanwhile is shared
#: out, so that it never runs dry before the end.
SHARING_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second, and so many at once after a pause."""

    per_second: float
    burst: float


class Bucket:
    """Tokens that come at a steady rate, up to the burst."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._tokens = rate.burst
        self._at = now

    def take(self, now: float) -> bool:
        """Take a token, if there is one. `now` in seconds, of a clock that does not go back."""
        refilled = self._tokens + (now - self._at) * self._rate.per_second
        self._tokens = min(self._rate.burst, refilled)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class SourceBuckets:
    """A bucket for each source, and one for all; an answer costs a token of both.

    Half of what all may have is shared evenly among those who ask, a quarter of a second at a time:
    whoever asks for less than its share is answered, however much the others ask for. The other
    half goes to who comes first.
    """

    def __init__(self, each: Rate, in_all: Rate, now: float) -> None:
        self._each = each
        half = Rate(in_all.per_second / 2, in_all.burst / 2)
        self._shared_now = half.per_second * SHARING_SECONDS
        self._shared, self._first_come = Bucket(half, now), Bucket(half, now)
        self._sources: dict[str, Bucket] = {}
        self._since = now
        self._answered: dict[str, int] = {}  # of each source, in this while
        self._askers = 1  # in the one before

    def take(self, source: str, now: float) -> bool:
        """Whether `source` may be answered now."""
        bucket = self._sources.pop(source, None) or Bucket(self._each, now)
        self._sources[source] = bucket  # in the order of their last use
        if len(self._sources) > SOURCES:
            del self._sources[next(iter(self._sources))]
        if not bucket.take(now):
            return False
        shares = self._has_share(source, now) and self._shared.take(now)
        return shares or self._first_come.take(now)

    def _has_share(self, source: str, now: float) -> bool:
        if now - self._since >= SHARING_SECONDS:
            self._askers = max(1, len(self._answered))
            self._since, self._answered = now, {}
        answered = self._answered.get(source, 0)
        if answered >= self._shared_now / max(self._askers, len(self._answered)):
            return False
        self._answered[source] = answered + 1
        return True

    def __len__(self) -> int:
        return len(self._sources)
