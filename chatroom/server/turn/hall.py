"""The room with its doors: what everything that changes it or tells of it works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatroom.journal import Journal
    from chatroom.room.room import Room
    from chatroom.server.counters import Counters
    from chatroom.server.fanout.announcer import Announcer
    from chatroom.server.fanout.fanout import Fanout
    from chatroom.server.fanout.presence import Presence
    from chatroom.server.turn.endings import Endings
    from chatroom.server.turn.ordering import Order


@dataclass(frozen=True, slots=True)
class Hall:
    """One room, how commands come to it, what it remembers, who hears it, how it is told, who is in
    it, how one goes, and what is counted of all that.
    """

    room: Room
    order: Order
    journal: Journal
    fanout: Fanout
    announcer: Announcer
    presence: Presence
    endings: Endings
    counters: Counters
