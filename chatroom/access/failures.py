"""Failed log-ins: from where they come, and how long the next try from there has to wait."""

from __future__ import annotations

from collections import OrderedDict

from chatroom.access.place import PLACES, place_of

#: After the first failure the next try from the same place waits so long, then twice that, …
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0

#: After so long without a failure all is forgotten.
FORGET_SECONDS = 900.0


class Failures:
    """Counts by place; of more than `PLACES`, those that failed longest ago are forgotten. What has
    no place never waits.
    """

    def __init__(self) -> None:
        self._places: OrderedDict[str, tuple[int, float, float]] = OrderedDict()

    def wait_seconds(self, address: str, now: float) -> float:
        """How long a try from there, made now, has to wait; the next one waits for longer, so that
        many at a time are no quicker.
        """
        place = place_of(address)
        count, last, free_at = self._places.get(place, (0, now, now))
        if not place or not count or now - last > FORGET_SECONDS:
            return 0.0
        begin = max(now, free_at)
        pause = min(FIRST_WAIT_SECONDS * 2.0 ** (count - 1), LONGEST_WAIT_SECONDS)
        self._places[place] = (count, last, begin + pause)
        return begin - now + pause

    def failed(self, address: str, now: float) -> None:
        """A try from there has failed."""
        place = place_of(address)
        if place:
            count, last, free_at = self._places.pop(place, (0, now, now))
            count = 1 if now - last > FORGET_SECONDS else min(count + 1, 30)
            self._places[place] = (count, now, free_at)
            if len(self._places) > PLACES:
                self._places.popitem(last=False)
