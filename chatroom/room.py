"""Who is here, under which names, and the one order of events. Synchronous; no Trio, no sockets."""

from __future__ import annotations

import secrets
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Sequence
from itertools import islice

from chatroom.event import CloseReason, Event
from chatroom.nick import NickInvalid, is_reserved, parse_nick
from chatroom.protocol.requests import Refused


class Member:
    """Somebody in the room: a name, and the token that proves it is theirs."""

    __slots__ = ("key", "nick", "token")

    def __init__(self, nick: str, key: str) -> None:
        self.nick = nick
        self.key = key
        self.token: str | None = None


class Room:
    """Members and numbers. Every method that changes the room returns the event of it, numbered.

    `time` is the event's time, as `chatroom.event.Clock` writes it: the caller reads the clock,
    once a batch.
    """

    def __init__(
        self, name: str, *, max_members: int, presence_limit: int, last_seq: int = 0
    ) -> None:
        self.name = name
        self.seq = last_seq  #: the last number given out
        self.announced = True  #: joins and leaves are events
        #: The room goes down: leaves are not announced any more, there is nobody left to hear them.
        self.closing = False
        self._max_members = max_members
        self._presence_limit = presence_limit
        # The latest speaker is last; who has not spoken is in front.
        self._members: OrderedDict[str, Member] = OrderedDict()
        self._keys: list[str] = []  # sorted, to page through
        self._tokens: dict[str, Member] = {}
        self._guests = 0

    def __len__(self) -> int:
        return len(self._members)

    def join(
        self, wanted: str | None, time: str, *, entitled: bool = False
    ) -> tuple[Member, Event | None]:
        """Somebody comes in, as `wanted` or as a guest. No event while joins are not announced.
        `entitled`: the name was theirs before, and may be one that nobody can choose.

        Raises `Refused`: room_full, nick_invalid, nick_taken.
        """
        if len(self._members) >= self._max_members:
            raise Refused("room_full", f"the room is full ({self._max_members} members)")
        nick, key = self._guest() if wanted is None else self._free_nick(wanted, entitled=entitled)
        member = Member(nick, key)
        self._members[key] = member
        self._members.move_to_end(key, last=False)
        insort(self._keys, key)
        if len(self._members) > self._presence_limit:
            self.announced = False
        return member, self._event(time, "join", nick) if self.announced else None

    def say(self, member: Member, kind: str, text: str, time: str) -> Event:
        """A message or an action; `text` is safe and within its bounds."""
        self._members.move_to_end(member.key)
        self.seq = seq = self.seq + 1
        return Event(seq, time, kind, member.nick, text)

    def rename(self, member: Member, wanted: str, time: str, *, entitled: bool = False) -> Event:
        """`entitled` as in `join`. Raises `Refused`: nick_invalid, nick_taken."""
        nick, key = self._free_nick(wanted, besides=member, entitled=entitled)
        was = member.nick
        if nick == was:  # nothing happens, so there is no event; another spelling is one
            raise Refused("nick_taken", f"you are {nick} already")
        self._forget_name(member)
        member.nick, member.key = nick, key
        self._members[key] = member
        insort(self._keys, key)
        self.seq += 1
        return Event(self.seq, time, "rename", was, to=nick)

    def leave(self, member: Member, reason: CloseReason, time: str) -> Event | None:
        """Somebody is gone. No event while leaves are not announced."""
        announced = self.announced and not self.closing
        event = self._event(time, "leave", member.nick, reason=reason) if announced else None
        self._forget_name(member)
        if member.token is not None:
            del self._tokens[member.token]
        if not self.closing and len(self._members) * 2 < self._presence_limit:
            self.announced = True
        return event

    def give_token(self, member: Member) -> str:
        """A secret by which `member` can be taken over from a dead connection."""
        member.token = secrets.token_urlsafe(16)
        self._tokens[member.token] = member
        return member.token

    def holder(self, token: str) -> Member | None:
        """The member that was given `token` and is still here."""
        return self._tokens.get(token)

    def holds(self, member: Member, wanted: str) -> bool:
        """Is `wanted` the name that `member` has?"""
        try:
            return parse_nick(wanted)[1] == member.key
        except NickInvalid:
            return False

    def latest_speakers(self, limit: int) -> list[str]:
        """At most `limit` nicks, the latest speakers first."""
        return [member.nick for member in islice(reversed(self._members.values()), limit)]

    def nicks(self, offset: int, limit: int) -> Sequence[str]:
        """A page of all nicks, in the order of their keys."""
        return [self._members[key].nick for key in self._keys[offset : offset + limit]]

    def _event(self, time: str, kind: str, nick: str, *, reason: str = "") -> Event:
        self.seq += 1
        return Event(self.seq, time, kind, nick, reason=reason)

    def _guest(self) -> tuple[str, str]:
        self._guests += 1
        name = f"guest{self._guests}"
        return name, name

    def _free_nick(
        self, wanted: str, *, besides: Member | None = None, entitled: bool = False
    ) -> tuple[str, str]:
        try:
            nick, key = parse_nick(wanted)
        except NickInvalid as error:
            raise Refused("nick_invalid", str(error)) from None
        if is_reserved(key) and not entitled:
            raise Refused("nick_invalid", f"the nick {nick} is not to be chosen")
        if self._members.get(key, besides) is not besides:
            raise Refused("nick_taken", f"the nick {nick} is taken")
        return nick, key

    def _forget_name(self, member: Member) -> None:
        del self._members[member.key]
        del self._keys[bisect_left(self._keys, member.key)]
