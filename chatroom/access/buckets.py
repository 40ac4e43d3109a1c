"""Token buckets, one for each place."""

from __future__ import annotations

from collections import OrderedDict

from chatroom.access.place import PLACES


class Buckets:
    """Lets each key have so many a second in the long run, and `burst` at once after a pause.

    A bucket that is full is as good as none. Of more than `most` keys, the bucket that was used
    longest ago is forgotten.
    """

    def __init__(self, per_second: float, burst: float, most: int = PLACES) -> None:
        self._per_second = per_second
        self._burst = burst
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, now: float) -> bool:
        """Take a token out of the bucket of `key`; whether there was one. `now`: seconds."""
        tokens, at = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._per_second)
        taken = tokens >= 1
        self._buckets[key] = (tokens - taken, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return taken
