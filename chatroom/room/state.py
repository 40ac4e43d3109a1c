"""The state of a room: numbers, members, and what holds for whom."""

from __future__ import annotations

from collections.abc import Iterable

from chatroom.event import CloseReason, Event
from chatroom.room.anteroom import Anteroom
from chatroom.room.bans import Bans
from chatroom.room.charter import Charter
from chatroom.room.members import Member, Members
from chatroom.room.nick import NickInvalid, parse_nick
from chatroom.room.owned import Owned
from chatroom.room.refused import Refused
from chatroom.room.role import Role


class State:
    """What a room's commands change. Synchronous; no clock, no chance."""

    def __init__(self, charter: Charter, last_seq: int, presence_limit: int) -> None:
        self.seq = last_seq  #: the last number given out
        self.announced = True  #: joins and leaves are events
        self.closing = False
        self.members = Members()
        self.anteroom = Anteroom()
        self.guests = 0  #: the last number of a guest
        self.presence_limit = presence_limit
        self.governed = charter.governed
        self.bans = Bans(charter.bans)
        self.topic = charter.topic
        self.topic_seq = charter.topic_seq
        self.topic_by, self.topic_time = charter.topic_by, charter.topic_time
        self.moderated = charter.moderated  #: only operators and who has voice may talk
        self.voices: set[str] = set()  #: the keys of members
        #: The keys of nicks that may not talk, and until when.
        self.mutes: dict[str, str] = dict(charter.mutes)
        self.owned = Owned(charter.owned)

    def event(self, time: str, kind: str, nick: str, text: str = "") -> Event:
        """The next event."""
        event = Event(self.seq + 1, time, kind, nick, text)
        self.seq = event.seq
        return event

    def remove(self, member: Member, leave: Leaving) -> Event | None:
        """`member` goes; its leave, if that is announced."""
        event = None
        if self.announced and member.told and not self.closing:
            self.seq += 1
            event = Event(
                self.seq,
                leave.time,
                "leave",
                member.nick,
                leave.text,
                reason=leave.reason,
                by=leave.by,
                part=leave.part,
            )
        self.members.remove(member)
        self.voices.discard(member.key)
        if not self.closing and len(self.members) * 2 < self.presence_limit:
            self.announced = True
        return event

    def look_whether_silenced(self, member: Member) -> None:
        """After its name, its role, the mutes, or who may talk at all has changed."""
        may_not = member.role is Role.LISTENER or member.key in self.mutes
        unheard = self.moderated and not self._has_a_say(member)
        member.silenced = may_not or unheard or not member.told

    def _has_a_say(self, member: Member) -> bool:
        return member.role is Role.OPERATOR or member.key in self.voices

    def mute(self, key: str, until: str) -> None:
        """A name is muted, unless it is so for longer; empty: for good."""
        known = self.mutes.get(key)
        if known is None or not until or (known and known < until):
            self.mutes[key] = until

    def check_may_talk(self, member: Member, now: str) -> None:
        """Raise `Refused` if a silenced member is to be silent still; else it says something."""
        self.check_not_silent(member, now)
        member.silenced = False
        member.told = True  # by what it says

    def check_not_silent(self, member: Member, now: str) -> None:
        """Raise `Refused` if a member is to be silent: a mute may be over."""
        if member.role is Role.LISTENER:
            raise Refused("muted", "you may listen, and not talk")
        until = self.mutes.get(member.key)
        if until is not None:
            if not until or now < until:
                raise Refused("muted", "you may not talk" + (f" until {until}" if until else ""))
            del self.mutes[member.key]
        if self.moderated and not self._has_a_say(member):
            raise Refused("muted", "the room is moderated: only who has voice may talk")

    def last_words(self, member: Member, text: str, now: str) -> str:
        """What a member says of its going; nothing if it is to be silent."""
        if not text or not member.silenced:
            return text
        try:
            self.check_not_silent(member, now)
        except Refused:
            return ""
        return text


class Leaving:
    """How somebody leaves."""

    __slots__ = ("by", "part", "reason", "text", "time")

    def __init__(
        self, time: str, reason: CloseReason, by: str = "", text: str = "", *, part: bool = False
    ) -> None:
        self.time = time
        self.reason = reason
        self.by = by
        self.text = text
        self.part = part  #: its connection goes on


def keys_of(nicks: Iterable[str]) -> frozenset[str]:
    """The keys of names, passing over what is none."""
    keys = set()
    for nick in nicks:
        try:
            keys.add(parse_nick(nick)[1])
        except NickInvalid:
            continue
    return frozenset(keys)
