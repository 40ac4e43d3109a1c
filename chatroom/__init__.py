"""A low-latency group chat room for people and programs on one network.

For programs: `connect` to be in a room, `listen` to hear its multicast feed, and what both give and
raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatroom.client import connect as connect
    from chatroom.client.errors import Banned as Banned
    from chatroom.client.errors import KeyChanged as KeyChanged
    from chatroom.client.errors import LoginFailed as LoginFailed
    from chatroom.client.errors import LoginNeeded as LoginNeeded
    from chatroom.client.errors import Muted as Muted
    from chatroom.client.errors import NickInvalid as NickInvalid
    from chatroom.client.errors import NickTaken as NickTaken
    from chatroom.client.errors import NotEncrypted as NotEncrypted
    from chatroom.client.errors import NotStored as NotStored
    from chatroom.client.errors import RoomClosed as RoomClosed
    from chatroom.client.errors import RoomError as RoomError
    from chatroom.client.errors import RoomFull as RoomFull
    from chatroom.client.errors import TextEmpty as TextEmpty
    from chatroom.client.errors import TextTooLong as TextTooLong
    from chatroom.client.errors import TooFast as TooFast
    from chatroom.client.errors import Unconfirmed as Unconfirmed
    from chatroom.client.errors import Unreachable as Unreachable
    from chatroom.client.feed.listening import listen as listen
    from chatroom.client.items import Connected as Connected
    from chatroom.client.items import Disconnected as Disconnected
    from chatroom.client.items import Item as Item
    from chatroom.client.room import Receipt as Receipt
    from chatroom.client.room import Room as Room
    from chatroom.client.statistics import RoomStatistics as RoomStatistics
    from chatroom.errors import ChatroomError as ChatroomError
    from chatroom.event import Event as Event
    from chatroom.event import Gap as Gap
    from chatroom.feed.listener import Listener as Listener
    from chatroom.feed.reassembly import SessionBegan as SessionBegan
    from chatroom.feed.reassembly import SessionEnded as SessionEnded
    from chatroom.feed.stream import Lost as Lost
    from chatroom.protocol.answers import Presence as Presence
    from chatroom.protocol.jsonlines.parse import HistoryPage as HistoryPage

#: Where what programs use is. It is imported when it is first asked for: the command line imports
#: this package too, and `chatroom --help` is not to wait for Trio.
_MODULES = {
    "chatroom.client": "connect",
    "chatroom.client.errors": "Banned KeyChanged LoginFailed LoginNeeded Muted NickInvalid"
    " NickTaken NotEncrypted NotStored RoomClosed RoomError RoomFull TextEmpty TextTooLong TooFast"
    " Unconfirmed Unreachable",
    "chatroom.client.feed.listening": "listen",
    "chatroom.client.items": "Connected Disconnected Item",
    "chatroom.client.room": "Receipt Room",
    "chatroom.client.statistics": "RoomStatistics",
    "chatroom.errors": "ChatroomError",
    "chatroom.event": "Event Gap",
    "chatroom.feed.listener": "Listener",
    "chatroom.feed.reassembly": "SessionBegan SessionEnded",
    "chatroom.feed.stream": "Lost",
    "chatroom.protocol.answers": "Presence",
    "chatroom.protocol.jsonlines.parse": "HistoryPage",
}
_OFFERED = {name: module for module, names in _MODULES.items() for name in names.split()}

# A literal, for checkers and editors; a test holds it against the table.
__all__ = [  # they are there when they are asked for
    "Banned",
    "ChatroomError",
    "Connected",
    "Disconnected",
    "Event",
    "Gap",
    "HistoryPage",
    "Item",
    "KeyChanged",
    "Listener",
    "LoginFailed",
    "LoginNeeded",
    "Lost",
    "Muted",
    "NickInvalid",
    "NickTaken",
    "NotEncrypted",
    "NotStored",
    "Presence",
    "Receipt",
    "Room",
    "RoomClosed",
    "RoomError",
    "RoomFull",
    "RoomStatistics",
    "SessionBegan",
    "SessionEnded",
    "TextEmpty",
    "TextTooLong",
    "TooFast",
    "Unconfirmed",
    "Unreachable",
    "connect",
    "listen",
]


def __getattr__(name: str) -> Any:
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_OFFERED[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_OFFERED])
