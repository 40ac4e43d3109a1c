"""The client: `connect` for programs; the terminal is built on it, in `chatroom.client.terminal`.

Reading order: `room` (what a program sees), `connecting`, `reconnecting` (coming back), `outlook`
(when that makes sense), `connection` (one connection), `pending` (what waits for an answer),
`resume` (what coming back needs), `servers` (where else to come back to), `transport` (how lines
come and go).
"""

from __future__ import annotations

from chatroom.client.connecting import connect
from chatroom.client.items import Connected, Disconnected
from chatroom.client.room import Receipt, Room
from chatroom.client.statistics import RoomStatistics
from chatroom.event import Gap

__all__ = ["Connected", "Disconnected", "Gap", "Receipt", "Room", "RoomStatistics", "connect"]
