"""What a fault is, and what it has to do with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from loadtest.soak.ledger import Ledger
from loadtest.soak.obstacles import Obstacles
from loadtest.soak.server import Server


@dataclass(frozen=True)
class Ground:
    """Where faults happen."""

    server: Server
    obstacles: Obstacles
    ledger: Ledger
    is_own_network: bool  #: may interfaces be taken down?


class Fault(ABC):
    """Something that goes wrong once. All that is random about it is drawn when it is made."""

    name: ClassVar[str]
    may_end_server: ClassVar[bool] = False  #: is it allowed to give up under this?

    def __init__(self, random: Random) -> None:  # noqa: B027 - many draw nothing
        """Draw how bad it is to be."""

    @staticmethod
    def is_possible(ground: Ground) -> bool:
        """Can it be made to happen here?"""
        return True

    @abstractmethod
    async def strike(self, ground: Ground) -> None:
        """Let it happen, and let it be over. Cancelled, it may be left as it is.

        Raises `ChatroomError` if the server did what it may not do.
        """
