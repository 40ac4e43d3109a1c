"""Who is here, under which names, and the one order of events. Synchronous; no Trio, no sockets."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from chatroom.event import CloseReason, Event
from chatroom.room.commands import Close, Command, Join, Leave, Outcome, Rename, Say
from chatroom.room.nick import NickInvalid, is_reserved, parse_nick
from chatroom.room.refused import Refused


class Member:
    """Somebody in the room: a name, and the token that proves it is theirs."""

    __slots__ = ("key", "nick", "token", "who")

    def __init__(self, who: int, nick: str, key: str, token: str) -> None:
        self.who = who
        self.nick = nick
        self.key = key
        self.token = token


class Room:
    """Members and numbers, as a state machine: `apply` is the only way to change it, and what it
    does depends on nothing but the commands so far.
    """

    def __init__(
        self, name: str, *, max_members: int, presence_limit: int, last_seq: int = 0
    ) -> None:
        self.name = name
        self.seq = last_seq  #: the last number given out
        self.announced = True  #: joins and leaves are events
        self.closing = False
        self._max_members = max_members
        self._presence_limit = presence_limit
        self._by_who: dict[int, Member] = {}
        # The latest speaker is last; who has not spoken is in front.
        self._members: OrderedDict[str, Member] = OrderedDict()
        self._keys: list[str] = []  # sorted, to page through
        self._tokens: dict[str, Member] = {}
        self._guests = 0
        self._apply: dict[type, Callable[[Any], Outcome]] = {
            Join: self._join,
            Say: lambda say: Outcome(self.say(say)),
            Rename: self._rename,
            Leave: self._leave,
            Close: self._close,
        }

    def __len__(self) -> int:
        return len(self._members)

    def apply(self, command: Command) -> Outcome:
        """Do what `command` asks. A refusal is an outcome: room_full, nick_invalid, nick_taken.

        `who` has to be a member, but for a `Join`, where it must not be one: anything else is a
        fault of the caller, and raises `KeyError`.
        """
        return self._apply[type(command)](command)

    def say(self, command: Say) -> Event:
        """`apply` for a message or an action, which is never refused: what a room does most."""
        member = self._by_who[command.who]
        self._members.move_to_end(member.key)
        self.seq = seq = self.seq + 1
        return Event(seq, command.time, command.kind, member.nick, command.text)

    # Looking

    def nick(self, who: int) -> str:
        """The name of a member. Raises `KeyError`."""
        return self._by_who[who].nick

    def token(self, who: int) -> str:
        """The token of a member. Raises `KeyError`."""
        return self._by_who[who].token

    def latest_speakers(self, limit: int) -> list[str]:
        """At most `limit` nicks, the latest speakers first."""
        return [member.nick for member in islice(reversed(self._members.values()), limit)]

    def nicks(self, offset: int, limit: int) -> Sequence[str]:
        """A page of all nicks, in the order of their keys."""
        return [self._members[key].nick for key in self._keys[offset : offset + limit]]

    # What commands do

    def _join(self, join: Join) -> Outcome:
        if join.who in self._by_who:
            raise KeyError(join.who)
        claimed = self._claimed(join.claim, join.nick)
        full = len(self._members) - (claimed is not None) >= self._max_members
        try:
            if full:
                raise Refused("room_full", f"the room is full ({self._max_members} members)")
            if claimed is not None:
                nick, key = claimed.nick, claimed.key
            elif join.nick is None:
                nick, key = self._guest()
            else:
                nick, key = self._free_nick(join.nick)
        except Refused as refused:
            return Outcome(refused=refused)
        replaced_event = self._replace(claimed, join.time)
        member = Member(join.who, nick, key, join.token)
        self._by_who[join.who] = self._tokens[join.token] = member
        self._take_name(member)
        self._members.move_to_end(key, last=False)
        if len(self._members) > self._presence_limit:
            self.announced = False
        event = self._event(join.time, "join", nick) if self.announced else None
        return Outcome(
            event,
            replaced=None if claimed is None else claimed.who,
            replaced_event=replaced_event,
        )

    def _rename(self, rename: Rename) -> Outcome:
        member = self._by_who[rename.who]
        claimed = self._claimed(rename.claim, rename.nick)
        if claimed is member:
            claimed = None
        try:
            if claimed is not None:
                nick, key = claimed.nick, claimed.key
            elif rename.nick is None:
                return Outcome()
            else:
                nick, key = self._free_nick(rename.nick, besides=member)
            if nick == member.nick:  # nothing happens, so there is no event; a new spelling is one
                raise Refused("nick_taken", f"you are {nick} already")
        except Refused as refused:
            return Outcome(refused=refused)
        replaced_event = self._replace(claimed, rename.time)
        was = member.nick
        self._forget_name(member)
        member.nick, member.key = nick, key
        self._take_name(member)
        self.seq += 1
        return Outcome(
            Event(self.seq, rename.time, "rename", was, to=nick),
            replaced=None if claimed is None else claimed.who,
            replaced_event=replaced_event,
        )

    def _leave(self, leave: Leave) -> Outcome:
        return Outcome(self._remove(self._by_who[leave.who], leave.reason, leave.time))

    def _close(self, close: Close) -> Outcome:
        self.closing = True
        return Outcome()

    # Names

    def _claimed(self, claim: str | None, wanted: str | None) -> Member | None:
        """The member that has to go, because who holds its token comes back under its name."""
        holder = None if claim is None else self._tokens.get(claim)
        if holder is None or wanted is None:
            return holder
        try:
            return holder if parse_nick(wanted)[1] == holder.key else None
        except NickInvalid:
            return None

    def _replace(self, member: Member | None, time: str) -> Event | None:
        return None if member is None else self._remove(member, CloseReason.REPLACED, time)

    def _remove(self, member: Member, reason: CloseReason, time: str) -> Event | None:
        announced = self.announced and not self.closing
        event = self._event(time, "leave", member.nick, reason=reason) if announced else None
        self._forget_name(member)
        del self._by_who[member.who]
        del self._tokens[member.token]
        if not self.closing and len(self._members) * 2 < self._presence_limit:
            self.announced = True
        return event

    def _event(self, time: str, kind: str, nick: str, *, reason: str = "") -> Event:
        self.seq += 1
        return Event(self.seq, time, kind, nick, reason=reason)

    def _guest(self) -> tuple[str, str]:
        self._guests += 1
        name = f"guest{self._guests}"
        return name, name

    def _free_nick(self, wanted: str, *, besides: Member | None = None) -> tuple[str, str]:
        try:
            nick, key = parse_nick(wanted)
        except NickInvalid as error:
            raise Refused("nick_invalid", str(error)) from None
        if is_reserved(key):
            raise Refused("nick_invalid", f"the nick {nick} is not to be chosen")
        if self._members.get(key, besides) is not besides:
            raise Refused("nick_taken", f"the nick {nick} is taken")
        return nick, key

    def _take_name(self, member: Member) -> None:
        self._members[member.key] = member
        insort(self._keys, member.key)

    def _forget_name(self, member: Member) -> None:
        del self._members[member.key]
        del self._keys[bisect_left(self._keys, member.key)]
