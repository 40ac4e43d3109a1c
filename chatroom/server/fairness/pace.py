"""How much a connection has said lately: a token bucket for each sort of thing that is said.

Pure: it is told the time, in seconds of a clock that does not go back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatroom.protocol.requests import (
    Answered,
    Enter,
    Hello,
    Introduce,
    Part,
    Refusal,
    Reply,
    Request,
    Sign,
)
from chatroom.settings import (
    QUERIES_PER_SECOND,
    QUERY_BURST,
    RENAME_BURST,
    RENAMES_PER_SECOND,
    RateSettings,
)

if TYPE_CHECKING:
    from chatroom.protocol.requests import Draft

#: What the others hear; what is answered to one alone; what all are told of somebody. Indices into
#: `Limits.rates` and `counters.SLOWED`.
TALK, QUERY, RENAME = range(3)

_OF_REQUESTS = {
    "message": TALK,
    "action": TALK,
    "topic": TALK,
    "rename": RENAME,
    "quit": None,  # who goes is not held up
}

#: What is not here is of the connection's life, happens once or costs nothing.
_OF_DRAFTS: dict[type, int] = {
    Sign: TALK,
    Refusal: QUERY,
    Reply: QUERY,
    Answered: QUERY,
    Hello: QUERY,
    Introduce: RENAME,
    Enter: RENAME,
    Part: RENAME,
}


def sort_of(draft: Draft) -> int | None:
    """What `draft` counts as: TALK, QUERY or RENAME; None: nothing."""
    if type(draft) is Request:
        return _OF_REQUESTS.get(draft.kind, QUERY)
    return _OF_DRAFTS.get(type(draft))


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second, and so many at once after a pause."""

    per_second: float  #: infinite: there is no limit
    burst: int

    @property
    def interval(self) -> float:
        """Seconds that one takes."""
        return 1 / self.per_second


class Pace:
    """One connection's buckets, and since when it has been pushing."""

    __slots__ = ("crowded_since", "full_at", "let_go", "pushing_since", "told")

    def __init__(self) -> None:
        #: When each bucket will be full again if nothing is taken: all there is to know of it.
        self.full_at = [-math.inf] * 3
        #: For which buckets it has been told that it is slowed, since they were full.
        self.told = [False] * 3
        #: When the present spell of pushing began: something had to wait for a token, and ever
        #: since there has been more of it to be read. None: there is no such spell.
        self.pushing_since: float | None = None
        #: The same where it was the room's ceiling that it had to wait for.
        self.crowded_since: float | None = None
        self.let_go = False  #: nothing of it is held back any more: it is made to end

    @property
    def spell(self) -> bool:
        """Something had to wait, and ever since there has been more to be read."""
        return self.pushing_since is not None or self.crowded_since is not None

    def rest(self) -> None:
        """All that it has said is let through, and nothing more is there: no spell goes on."""
        self.pushing_since = self.crowded_since = None


class Limits:
    """What holds for every connection of a server."""

    def __init__(self, settings: RateSettings) -> None:
        limited = settings.talk_per_second > 0
        self.rates = (
            Rate(settings.talk_per_second if limited else math.inf, settings.talk_burst),
            Rate(QUERIES_PER_SECOND if limited else math.inf, QUERY_BURST),
            Rate(RENAMES_PER_SECOND if limited else math.inf, RENAME_BURST),
        )
        self._intervals = [rate.interval for rate in self.rates]
        # Less the one that is taken; and a thousandth more, as sums of intervals are not exact.
        self._slack = [(rate.burst - 0.999) * rate.interval for rate in self.rates]

    def ready_at(self, pace: Pace, sort: int) -> float:
        """When there is a token for one of this sort; in the past: there is."""
        return pace.full_at[sort] - self._slack[sort]

    def take(self, pace: Pace, draft: Draft, sort: int, now: float) -> None:
        """Take a token, or of what answers several as many: then those that come later wait."""
        full_at = pace.full_at[sort]
        if full_at <= now:
            full_at = now
            pace.told[sort] = False
        count = draft.count if type(draft) is Reply else 1
        pace.full_at[sort] = full_at + count * self._intervals[sort]
