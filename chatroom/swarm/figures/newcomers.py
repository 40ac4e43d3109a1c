"""How those fared who came all at once."""

from __future__ import annotations

import msgspec


class NewcomerFigures(msgspec.Struct):
    """How the newcomers fared."""

    newcomers: int
    entered: int  #: heard a message within the measured time
    seconds: float  #: from the first connection begun to the last newcomer's first message
    errors: list[str]

    def per_second(self) -> float:
        """Newcomers who came in each second."""
        return self.entered / self.seconds if self.seconds else 0.0
