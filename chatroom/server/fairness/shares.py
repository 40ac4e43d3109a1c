"""How much of the server each address holds, and whether it may have more."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from chatroom.access.buckets import Buckets
from chatroom.room.refused import Refused
from chatroom.settings import KEPT_SHARE, LOBBY_CONNECTIONS

if TYPE_CHECKING:
    from chatroom.settings import AddressSettings


class Barred(Refused):
    """Why a newcomer is turned away: `reason` is one word, for the figures."""

    def __init__(self, reason: str, code: str, text: str) -> None:
        super().__init__(code, text)
        self.reason = reason


_TOO_MANY = "too_many_connections"
AT_ONCE = Barred("address_connections", _TOO_MANY, "too many connections from your address")
TOO_OFTEN = Barred(
    "address_rate", _TOO_MANY, "too many new connections from your address: wait a minute"
)
FULL = Barred("room_full", "room_full", "the room is full")
KEPT = Barred("address_share", "room_full", "the room is full for your address")
EXHAUSTED = Barred("descriptors", "room_full", "the room is full")
BANNED = Barred("banned", "banned", "you are banned")

#: All of them, so that the figures have each from the start.
REASONS = tuple(barred.reason for barred in (AT_ONCE, TOO_OFTEN, FULL, KEPT, EXHAUSTED, BANNED))


class Shares:
    """Counts connections by place: see `chatroom.access.place`. This machine is one place without
    limits of its own.

    What is kept is bounded: a number for each place with a connection, and the buckets.
    """

    def __init__(self, settings: AddressSettings, *, places: int, networked: bool) -> None:
        """`places`: of members in the room. `networked`: others than this machine reach it; then
        the last share of the places is kept from this machine too, so that its bots lock nobody
        out.
        """
        self._settings = settings
        self._limit = places + LOBBY_CONNECTIONS
        self._kept = int(places * KEPT_SHARE)
        self._networked = networked
        self._held: Counter[str] = Counter()
        self._new = Buckets(settings.new_per_minute / 60, settings.new_per_minute)
        self._places = places

    def bar(self, place: str, connections: int, now: float) -> Barred | None:
        """Why a newcomer from there, made now, does not come in; `connections` there are already.
        Counts the try; `hold` is for whoever comes in.
        """
        settings = self._settings
        held = self._held.get(place, 0)
        if place:
            if settings.new_per_minute and not self._new.take(place, now):
                return TOO_OFTEN
            if settings.connections and held >= settings.connections:
                return AT_ONCE
        if connections >= self._limit:
            return FULL
        scarce = connections >= self._places - self._kept
        if scarce and held >= self._kept > 0 and (place or self._networked):
            return KEPT
        return None

    def hold(self, place: str) -> None:
        """One more connection from there."""
        self._held[place] += 1

    def release(self, place: str) -> None:
        """One that was held has gone."""
        self._held[place] -= 1
        if not self._held[place]:
            del self._held[place]
