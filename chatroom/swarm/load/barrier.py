"""Where the processes of one swarm wait for each other."""

from __future__ import annotations

from typing import Any, Protocol


class Barrier(Protocol):
    """A meeting point of all processes of a run. Nothing here waits: one asks again later."""

    rank: int  #: 0, 1, … of `processes`
    processes: int

    def meet(self, point: str, value: Any) -> list[Any] | None:
        """Say that this process has reached `point` with `value` (sent once, the first time).

        Returns:
            Every process's value, by rank, once all have come; None until then.
        """


class SingleProcess:
    """The barrier of a run with one process."""

    rank = 0
    processes = 1

    def meet(self, _point: str, value: Any) -> list[Any] | None:
        return [value]
