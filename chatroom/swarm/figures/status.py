"""How a run goes, while it goes."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Phase(StrEnum):
    """What a run is doing."""

    CONNECTING = "connecting"
    ROLL_CALL = "roll call"
    WARM_UP = "warm-up"
    MEASURING = "measuring"
    DRAINING = "draining"
    DONE = "done"


class Status(msgspec.Struct):
    """A snapshot of a run. The latencies are those of the last second, where known."""

    phase: Phase = Phase.CONNECTING
    connected: int = 0
    bots: int = 0
    seconds: float = 0.0  #: of the measured time, so far
    sent_per_second: float = 0.0
    delivered_per_second: float = 0.0
    p50_us: int | None = None
    p99_us: int | None = None
    lag_p99_us: int | None = None
    errors: int = 0
