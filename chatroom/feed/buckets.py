"""How much may be answered: token buckets, for each source and for all together."""

from __future__ import annotations

from dataclasses import dataclass

#: Sources whose buckets are remembered; beyond it the one unused for longest is forgotten. With
#: forged sources it is the bucket for all that holds.
SOURCES = 1024


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
    """A bucket for each source, and one for all; an answer costs a token of both."""

    def __init__(self, each: Rate, in_all: Rate, now: float) -> None:
        self._each = each
        self._in_all = Bucket(in_all, now)
        self._sources: dict[str, Bucket] = {}

    def take(self, source: str, now: float) -> bool:
        """Whether `source` may be answered now."""
        bucket = self._sources.pop(source, None) or Bucket(self._each, now)
        self._sources[source] = bucket  # in the order of their last use
        if len(self._sources) > SOURCES:
            del self._sources[next(iter(self._sources))]
        return bucket.take(now) and self._in_all.take(now)

    def __len__(self) -> int:
        return len(self._sources)
