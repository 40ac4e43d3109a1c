"""How those fared who came all at once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class NewcomerFigures(msgspec.Struct):
    """How the newcomers fared."""

    newcomers: int
    entered: int  #: heard a message within the measured time
    seconds: float  #: from the first connection begun to the last newcomer's first message
    #: How many came in each second, up to the last message that not all of them have heard: to the
    #: next one `seconds` goes on, and none may have come in that time.
    per_second: float
    errors: list[str]

    @classmethod
    def of(
        cls,
        newcomers: int,
        in_by: Sequence[tuple[float, int]],
        seconds: float,
        errors: list[str],
    ) -> NewcomerFigures:
        """`in_by`: after how many seconds how many were in the room, in order."""
        entered = in_by[-1][1] if in_by else 0
        counted = [place for place in in_by if place[1] < newcomers] or in_by
        after, count = counted[-1] if counted else (0.0, 0)
        return cls(newcomers, entered, seconds, count / after if after > 0 else 0.0, errors)
