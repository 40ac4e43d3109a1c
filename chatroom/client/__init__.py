"""The client: `connect` for programs; the terminal is built on it, in `chatroom.client.terminal`.

Reading order: `room` (what a program sees), `connecting`, `lifeline` (coming back), `connection`
(one connection), `ledger` (what waits for an answer), `standing` (what resuming needs).
"""

from __future__ import annotations

from chatroom.client.connecting import connect
from chatroom.client.room import Receipt, Room, Statistics
from chatroom.client.standing import Connected, Disconnected
from chatroom.event import Gap

__all__ = ["Connected", "Disconnected", "Gap", "Receipt", "Room", "Statistics", "connect"]
