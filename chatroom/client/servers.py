"""The servers of a room: which one to try next when the present one is gone."""

from __future__ import annotations

from collections.abc import Sequence

from chatroom.client.transport.address import Address
from chatroom.client.transport.naming import learnt

#: More servers than a room has; what else one names is passed over.
MOST_LEARNT = 16


class Servers:
    """Those that the user has named, then those that the present one has named, in a ring."""

    def __init__(self, given: Sequence[Address]) -> None:
        self._given = list(given)
        self._learnt: list[Address] = []
        self._present = self._given[-1]  # the first round begins with the first

    def __len__(self) -> int:
        return len(self._given) + len(self._learnt)

    def round(self) -> list[Address]:
        """All of them, those first that come after the present one, which is the last."""
        ring = [*self._given, *self._learnt]
        following = ring.index(self._present) + 1
        return [*ring[following:], *ring[:following]]

    def entered(self, address: Address) -> None:
        """The room was entered at `address`, one of these."""
        self._present = address

    def learn(self, names: Sequence[str], *, here: bool) -> None:
        """The present server names the others; `here`: it is on this machine.

        What it does not name is forgotten, if it names any: it may be gone for good.
        """
        if not names or not self._present.introduces:
            return
        known = {(address.host, address.port) for address in [*self._given, self._present]}
        kept = [] if self._present in self._given else [self._present]
        for host, port in filter(None, map(learnt, names[:MOST_LEARNT])):
            if (host, port) not in known:
                known.add((host, port))
                kept.append(self._present.introduced(host, port, here=here))
        self._learnt = kept
