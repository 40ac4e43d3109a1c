"""What the audit found: for every reader and in all."""

from __future__ import annotations

import msgspec

#: How many of the worst readers are named.
NAMED = 10


class Faults(msgspec.Struct):
    """What was wrong with what one reader, or all of them, received."""

    lost: int = 0
    doubled: int = 0
    reordered: int = 0  #: came, but after messages that the others had later
    altered: int = 0  #: came with other bytes
    echoed: int = 0  #: a talker's own messages, where none are due

    def total(self) -> int:
        """All of them."""
        return self.lost + self.doubled + self.reordered + self.altered + self.echoed

    def add(self, other: Faults) -> None:
        """Count another reader's too."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class ReaderFaults(msgspec.Struct):
    """A reader who did not get exactly what it should have."""

    name: str
    faults: Faults
    gone: str = ""  #: why its connection ended before the end, if it did


class Verdict(msgspec.Struct):
    """The audit of a run: whether every reader got everything, once, unchanged, in one order."""

    readers: int
    messages: int  #: in the room from the roll call on, this run's only
    faults: Faults
    disconnected: int
    worst: list[ReaderFaults]
    order_digest: int  #: of the order of the load's messages; processes that saw one order agree

    def clean(self) -> bool:
        """Nothing was wrong."""
        return self.faults.total() == 0 and self.disconnected == 0
