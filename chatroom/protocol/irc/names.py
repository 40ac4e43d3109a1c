"""What things are called towards IRC clients: the server, the channel, those who are there."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from chatroom.room.nick import parse_nick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatroom.protocol.people import Card
    from chatroom.protocol.session import Venue

#: Clients tell a server from a person by its dot.
SERVER = "chatroom.local"
NETWORK = "chatroom"
#: In everybody's mask: an address is nobody else's business.
HOST = "chatroom.local"
#: The user name of those who give none: they are not here by IRC.
MEMBER = "member"
VERSION = "chatroom-1"

MAX_USER_CHARS = 16
MAX_CHANNEL_CHARS = 50

_NOT_IN_CHANNEL = re.compile(r"[\x00-\x20,:\x7f]")
_LITERAL = re.compile(r"[^?]+")
_NOT_IN_USER = re.compile(r"[^A-Za-z0-9._-]")


@lru_cache
def channel_of(room: str) -> str:
    """The room's channel; what a channel's name cannot have is an underscore there, and of a very
    long one it is the beginning.
    """
    return "#" + _NOT_IN_CHANNEL.sub("_", room)[:MAX_CHANNEL_CHARS]


def is_channel(name: str, venue: Venue) -> bool:
    """Whether `name` is the room's channel."""
    return name.lower() == channel_of(venue.room).lower()


#: What stands between two `*`: how long it is, and where in it is what; a `?` is nothing there.
_Part = tuple[int, tuple[tuple[int, str], ...]]


def matches(name: str, pattern: str) -> bool:
    """Whether `name` is of this kind: `*` stands for anything, `?` for a character. Takes time as
    the two are long, and no more: whoever asks chooses the pattern.
    """
    name = name.lower()
    first, *others = _parts(pattern.lower())
    if not others:
        return len(name) == first[0] and _is_at(name, 0, first)
    *middle, last = others
    at, end = first[0], len(name) - last[0]
    if end < at or not _is_at(name, 0, first) or not _is_at(name, end, last):
        return False
    for part in middle:
        at = _find(name, at, end, part)
        if at < 0:
            return False
        at += part[0]
    return at <= end


@lru_cache
def _parts(pattern: str) -> Sequence[_Part]:
    return [
        (len(part), tuple((piece.start(), piece[0]) for piece in _LITERAL.finditer(part)))
        for part in pattern.split("*")
    ]


def _is_at(name: str, at: int, part: _Part) -> bool:
    for offset, literal in part[1]:  # noqa: SIM110 - a generator would take twice as long
        if not name.startswith(literal, at + offset):
            return False
    return True


def _find(name: str, at: int, end: int, part: _Part) -> int:
    """Where `part` is first, from `at` on and before `end`; -1: nowhere."""
    length, literals = part
    while at + length <= end:
        if _is_at(name, at, part):
            return at
        offset, literal = literals[0]  # without any it is where it is looked for
        at = name.find(literal, at + offset + 1, end) - offset
        if at < 0:
            break
    return -1


def user_of(name: str) -> str:
    """A user name as it may stand in a mask. The tilde: nobody has checked it."""
    return "~" + (_NOT_IN_USER.sub("", name)[:MAX_USER_CHARS] or "user")


def mask(nick: str, card: Card) -> str:
    """`nick!user@host`."""
    return f"{nick}!{card.user or MEMBER}@{HOST}"


def same_nick(one: str, other: str) -> bool:
    """Whether two valid names are the same to the room."""
    return parse_nick(one)[1] == parse_nick(other)[1]
