"""Who is here, under which names, and the one order of events. Synchronous; no Trio, no sockets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from chatroom.event import CloseReason, Event
from chatroom.room.bans import Ban, Newcomer
from chatroom.room.charter import Charter
from chatroom.room.commands import (
    Announce,
    Close,
    Command,
    Join,
    Leave,
    LogIn,
    Outcome,
    Removed,
    Rename,
    Reserve,
    Say,
)
from chatroom.room.lookalikes import skeletons
from chatroom.room.members import Member
from chatroom.room.nick import NickInvalid, is_reserved, key_of_account, parse_nick
from chatroom.room.operators import Operators
from chatroom.room.refused import Refused
from chatroom.room.role import Role
from chatroom.room.snapshot import RoomSnapshot, read, take
from chatroom.room.state import Leaving, State

#: Nothing outlives such a room.
_NO_CHARTER = Charter()


class Room:
    """Members and numbers, as a state machine: `apply` is the only way to change it, and what it
    does depends on nothing but the commands so far.
    """

    def __init__(
        self,
        name: str,
        *,
        max_members: int,
        presence_limit: int,
        last_seq: int = 0,
        charter: Charter = _NO_CHARTER,
    ) -> None:
        self.name = name
        self._max_members = max_members
        self._be(State(charter, last_seq, presence_limit))

    def _be(self, state: State) -> None:
        """What is kept for speed is of one state, and goes with it."""
        self._state = state
        self._members, self._anteroom = state.members, state.anteroom
        self._by_who, self._has_spoken = self._members.by_who, self._members.has_spoken
        self._operators = Operators(state)
        self._speakers: Sequence[str] = ()  # as they were told last
        self._speakers_at = (0, 0, 0)
        self._apply: dict[type, Callable[[Any], Outcome]] = {
            Join: self._join,
            Announce: self._announce,
            Reserve: self._reserve,
            Say: self._say,
            Rename: self._rename,
            LogIn: self._log_in,
            Leave: self._leave,
            Close: self._close,
            **self._operators.commands,
        }

    def __len__(self) -> int:
        return len(self._members)

    def apply(self, command: Command) -> Outcome:
        """Do what `command` asks. A refusal is an outcome: room_full, nick_invalid, nick_taken,
        banned, muted, not_operator, bad_request.

        `who` has to be a member (or None, where that is allowed), but for a `Join`, where it must
        not be one, and a `Reserve`, where it must be unknown; a `Rename` or a `Leave` may be of one
        who has a name reserved. Anything else is a fault of the caller, and raises `KeyError`.
        """
        try:
            return self._apply[type(command)](command)
        except Refused as refused:
            return Outcome(refused=refused)

    def say(self, who: int, time: str, kind: str, text: str, notice: bool = False) -> Event:
        """`apply` for a `Say`, without the objects around it: what a room does most. Raises
        `Refused` if the member may not talk.
        """
        state = self._state
        member = self._by_who[who]
        if member.silenced:
            state.check_may_talk(member, time)
        self._has_spoken(member.key)
        event = Event(state.seq + 1, time, kind, member.nick, text)
        if notice:
            event = msgspec.structs.replace(event, notice=True)
        state.seq = event.seq  # last, as nothing can fail any more
        return event

    def has_voice(self, who: int) -> bool:
        """Whether a member was given voice."""
        member = self._by_who.get(who)
        return member is not None and member.key in self._state.voices

    def check_may_talk(self, who: int, time: str) -> None:
        """Raise `Refused` if a member is to be silent."""
        self._state.check_not_silent(self._by_who[who], time)

    # Looking

    @property
    def seq(self) -> int:
        """The last number given out."""
        return self._state.seq

    @property
    def announced(self) -> bool:
        """Joins and leaves are events."""
        return self._state.announced

    @property
    def moderated(self) -> bool:
        """Whether only operators and who has voice may talk."""
        return self._state.moderated

    @property
    def closing(self) -> bool:
        """It goes down."""
        return self._state.closing

    @property
    def topic(self) -> str:
        """What the room is about; empty: it has no topic."""
        return self._state.topic

    @property
    def topic_set(self) -> tuple[str, str]:
        """Who said so, and when; empty where that is not known."""
        return self._state.topic_by, self._state.topic_time

    def nick(self, who: int) -> str:
        """The name of a member, or the one that is reserved. Raises `KeyError`."""
        return self._anybody(who).nick

    def is_member(self, who: int) -> bool:
        """Whether somebody is inside, and has not only a name."""
        return who in self._by_who

    def token(self, who: int) -> str:
        """The token of a member. Raises `KeyError`."""
        return self._members.by_who[who].token

    def account(self, who: int) -> str | None:
        """The key of the account that somebody has logged in to. Raises `KeyError`."""
        return self._anybody(who).account or None

    def account_name(self, who: int) -> str | None:
        """The name of that account, as it was given. Raises `KeyError`."""
        key = self.account(who)
        return None if key is None else self._state.owned.name(key)

    def role(self, who: int) -> Role:
        """What somebody may do. Raises `KeyError`."""
        return self._anybody(who).role

    def latest_speakers(self, limit: int) -> Sequence[str]:
        """At most `limit` nicks, the latest speakers first. Not to be changed."""
        # Among many, newcomers stand behind them: the list is another one only when somebody has
        # said something or has gone. A crowd would pay a twentieth of its coming in for it.
        state = (self._state.seq, self._members.losses, limit)
        if state != self._speakers_at or len(self._speakers) < limit:
            self._speakers_at = state
            self._speakers = self._members.latest_speakers(limit)
        return self._speakers

    def nicks(self, offset: int, limit: int) -> Sequence[str]:
        """A page of all nicks, in the order of their keys."""
        return self._members.nicks(offset, limit)

    @property
    def names_held(self) -> int:
        """Members, and those who have a name reserved."""
        return len(self._members) + len(self._anteroom)

    def members(self, offset: int, limit: int) -> Sequence[Member]:
        """As `nicks`, and what the room knows of each."""
        return self._members.page(offset, limit)

    def find(self, nick: str) -> tuple[Member, bool] | None:
        """Who has the name, and whether it is a member; None: nobody has it."""
        try:
            key = parse_nick(nick)[1]
        except NickInvalid:
            return None
        member = self._members.of_key(key)
        if member is not None:
            return member, True
        waiting = self._anteroom.of_key(key)
        return None if waiting is None else (waiting, False)

    def bans(self, who: int | None, now: str) -> Sequence[Ban]:
        """All bans, for an operator (None: the administrator). Raises `Refused` for others."""
        self._operators.check(who)
        return self._state.bans.all(now)

    def charter(self, now: str) -> Charter:
        """What outlives this room, but for the accounts' nicks."""
        state = self._state
        bans = tuple(state.bans.all(now))
        return Charter(
            state.governed,
            (),
            bans,
            state.topic,
            state.topic_seq,
            state.topic_by,
            state.topic_time,
        )

    def legacy(self, now: str) -> Charter:
        """What a room begins with that goes on in the place of this one: all but its members, and
        the voices that they were given.
        """
        state = self._state
        return msgspec.structs.replace(
            self.charter(now),
            owned=tuple(state.owned),
            moderated=state.moderated,
            mutes=tuple(state.mutes.items()),
        )

    def is_banned(self, account: str, address: str, now: str) -> bool:
        """Whether an account, by its key, or who comes from an address is not to be here."""
        return self._state.bans.of(Newcomer("", account, address), now) is not None

    @property
    def bans_addresses(self) -> bool:
        """Whether there is any ban of those who come from somewhere."""
        return self._state.bans.have_networks

    def ban_of_address(self, address: str, now: str) -> Ban | None:
        """Why nobody from there gets in."""
        return self._state.bans.of_address(address, now)

    # Carrying on what another process began

    def everybody(self) -> list[int]:
        """The numbers of all who have a name, inside and outside, in their order. Takes time in
        proportion.
        """
        return sorted([*self._by_who, *(member.who for member in self._anteroom)])

    def snapshot(self) -> RoomSnapshot:
        """All that it is. Takes time in proportion to its members."""
        return take(self._state)

    def put_back(self, snapshot: RoomSnapshot) -> None:
        """Be what another room was, and nothing of what this one has been: from here on the same
        commands do the same here and there.
        """
        self._be(read(snapshot))

    def rule(self, *, max_members: int, presence_limit: int, governed: bool) -> None:
        """From now on these limits hold; whoever is here stays."""
        self._max_members = max_members
        self._state.presence_limit = presence_limit
        self._state.governed = governed

    def skip_to(self, seq: int) -> None:
        """The next event's number is the one after `seq`, which is at least the present one."""
        self._state.seq = seq

    # What commands do

    def _join(self, join: Join) -> Outcome:
        if join.who in self._members.by_who:
            raise KeyError(join.who)
        if join.who in self._anteroom:
            return self._come_in(join)
        member, removed = self._newcomer(join)
        return Outcome(self._enter(member, join), removed=removed)

    def _reserve(self, reserve: Reserve) -> Outcome:
        if reserve.who in self._members.by_who or reserve.who in self._anteroom:
            raise KeyError(reserve.who)
        member, removed = self._newcomer(reserve)
        self._anteroom.enter(member)
        return Outcome(removed=removed)

    def _come_in(self, join: Join) -> Outcome:
        """Who has a name reserved comes in."""
        member = self._anteroom.of_who(join.who)
        self._check_ban(Newcomer(member.key, member.account, member.address), join.time)
        self._anteroom.leave(join.who)
        return Outcome(self._enter(member, join))

    def _enter(self, member: Member, join: Join) -> Event | None:
        state = self._state
        member.token, member.told = join.token, join.told
        state.look_whether_silenced(member)
        self._members.add(member)
        if len(self._members) > state.presence_limit:
            state.announced = False
        told = state.announced and member.told
        return state.event(join.time, "join", member.nick) if told else None

    def _announce(self, announce: Announce) -> Outcome:
        member = self._by_who.get(announce.who)
        if member is None:
            return Outcome()
        member.told = True
        state = self._state
        told = state.event(announce.time, "join", member.nick) if state.announced else None
        return Outcome(told)

    def _newcomer(self, join: Join | Reserve) -> tuple[Member, tuple[Removed, ...]]:
        """Somebody with a name, and whoever has to go for that."""
        account = key_of_account(join.account)
        claim = join.claim if isinstance(join, Join) else None
        wanted = join.account if join.nick is None and account else join.nick
        claimed = self._claimed(claim, join.nick)
        holder = claimed or self._holder_of_own(account, wanted)
        if self.names_held - (holder is not None) >= self._max_members:
            raise Refused("room_full", f"the room is full ({self._max_members} members)")
        nick = key = ""  # of a guest
        if claimed is not None:
            nick, key = claimed.nick, claimed.key
        elif wanted is not None:
            nick, key = self._free_nick(wanted, account=account)
        # The ban of a nick keeps it out of the room: who only has it reserved may take another one.
        banned_key = key if isinstance(join, Join) else ""
        self._check_ban(Newcomer(banned_key, account, join.address), join.time)
        removed = self._replace(holder, join.time)
        if not key:
            nick, key = self._guest()
        member = Member(join.who, nick, key, "")
        member.account, member.role, member.address = account, join.role, join.address
        self._own(join.account)
        return member, removed

    def _rename(self, rename: Rename) -> Outcome:
        if rename.who in self._anteroom:
            return self._rename_outside(rename)
        member = self._members.by_who[rename.who]
        holder = self._claimed(rename.claim, rename.nick)
        if holder is not None and holder is not member:
            nick, key = holder.nick, holder.key
        elif rename.nick is None:
            return Outcome()
        else:
            nick, key = self._free_nick(rename.nick, account=member.account, besides=member)
            holder = self._holder(key)
        self._check_ban(Newcomer(key, member.account, member.address), rename.time)
        if nick == member.nick:  # nothing happens, so there is no event; a new spelling is one
            raise Refused("nick_taken", f"you are {nick} already")
        return self._name(member, holder, (nick, key), rename.time)

    def _log_in(self, log_in: LogIn) -> Outcome:
        member = self._anybody(log_in.who)
        account = key_of_account(log_in.account)
        nick, key = member.nick, member.key
        if self.is_member(log_in.who) and not log_in.keeps_nick:
            nick, key = self._free_nick(log_in.account, account=account, besides=member)
        self._check_ban(Newcomer(key, account, member.address), log_in.time)
        member.account, member.role = account, log_in.role
        self._own(log_in.account)
        self._state.look_whether_silenced(member)
        if nick == member.nick:
            return Outcome()
        return self._name(member, self._holder(key), (nick, key), log_in.time)

    def _name(
        self, member: Member, holder: Member | None, name: tuple[str, str], time: str
    ) -> Outcome:
        removed = () if holder is member else self._replace(holder, time)
        muted_until = self._state.mutes.get(member.key)
        was, (nick, key) = member.nick, name
        if muted_until is not None:  # a mute goes with whoever takes another name
            self._state.mute(key, muted_until)
        if member.key in self._state.voices:  # as a voice does
            self._state.voices.remove(member.key)
            self._state.voices.add(key)
        self._members.rename(member, nick, key)
        member.told = True
        self._state.look_whether_silenced(member)
        self._state.seq += 1
        return Outcome(Event(self._state.seq, time, "rename", was, to=nick), removed=removed)

    def _rename_outside(self, rename: Rename) -> Outcome:
        """Nobody hears of it, but whoever has to go for it."""
        member = self._anteroom.of_who(rename.who)
        if rename.nick is None:
            return Outcome()
        nick, key = self._free_nick(rename.nick, account=member.account, besides=member)
        self._check_ban(Newcomer("", member.account, member.address), rename.time)
        holder = self._holder(key)
        removed = () if holder is member else self._replace(holder, rename.time)
        self._anteroom.leave(rename.who)
        member.nick, member.key = nick, key
        self._anteroom.enter(member)
        return Outcome(removed=removed)

    def _say(self, say: Say) -> Outcome:
        return Outcome(self.say(say.who, say.time, say.kind, say.text, say.notice))

    def _leave(self, leave: Leave) -> Outcome:
        if leave.who in self._anteroom:
            self._anteroom.leave(leave.who)
            return Outcome()
        member = self._members.by_who[leave.who]
        text = self._state.last_words(member, leave.text, leave.time)
        leaving = Leaving(leave.time, leave.reason, text=text, part=leave.part)
        event = self._state.remove(member, leaving)
        if leave.part:
            self._anteroom.enter(member)
        return Outcome(event)

    def _close(self, close: Close) -> Outcome:
        self._state.closing = True
        return Outcome()

    # Names

    def _claimed(self, claim: str | None, wanted: str | None) -> Member | None:
        """The member that has to go, because who holds its token comes back under its name."""
        holder = None if claim is None else self._members.of_token(claim)
        if holder is None or wanted is None:
            return holder
        try:
            return holder if parse_nick(wanted)[1] == holder.key else None
        except NickInvalid:
            return None

    def _replace(self, member: Member | None, time: str) -> tuple[Removed, ...]:
        if member is None:
            return ()
        if member.who in self._anteroom:
            self._anteroom.leave(member.who)
            return (Removed(member.who, CloseReason.REPLACED),)
        event = self._state.remove(member, Leaving(time, CloseReason.REPLACED))
        return (Removed(member.who, CloseReason.REPLACED, event),)

    def _guest(self) -> tuple[str, str]:
        self._state.guests += 1
        name = f"guest{self._state.guests}"
        return name, name

    def _free_nick(
        self, wanted: str, *, account: str, besides: Member | None = None
    ) -> tuple[str, str]:
        """A nick that can be had, and its key. Whoever owns it takes it also from somebody."""
        try:
            nick, key = parse_nick(wanted)
        except NickInvalid as error:
            raise Refused("nick_invalid", str(error)) from None
        if is_reserved(nick, key):
            raise Refused("nick_invalid", f"the nick {nick} is not to be chosen")
        if key != account:
            holder = self._holder(key)
            if key in self._state.owned or holder not in (None, besides):
                raise Refused("nick_taken", f"the nick {nick} is taken")
            if self._looks_taken(nick, key, besides):
                raise Refused("nick_taken", f"the nick {nick} looks like one that is taken")
        return nick, key

    def _looks_taken(self, nick: str, key: str, besides: Member | None) -> bool:
        own = set() if besides is None else skeletons(besides.nick, besides.key)
        outside = besides is not None and besides.who in self._anteroom
        return (
            self._members.looks.has_like(nick, key, set() if outside else own)
            or self._anteroom.looks.has_like(nick, key, own if outside else set())
            or self._state.owned.looks.has_like(nick, key, set())
        )

    def _holder_of_own(self, account: str, wanted: str | None) -> Member | None:
        """Who has to go because the name belongs to the account of whoever wants it."""
        try:
            own = account and wanted is not None and parse_nick(wanted)[1] == account
        except NickInvalid:
            return None
        return self._holder(account) if own else None

    def _anybody(self, who: int) -> Member:
        return self._members.by_who.get(who) or self._anteroom.of_who(who)

    def _holder(self, key: str) -> Member | None:
        """Who has the name, inside or reserved."""
        return self._members.of_key(key) or self._anteroom.of_key(key)

    def _own(self, account: str) -> None:
        """The nick of an account is its own from its first coming on at the latest."""
        self._state.owned.add(account)

    def _check_ban(self, newcomer: Newcomer, now: str) -> None:
        ban = self._state.bans.of(newcomer, now)
        if ban is not None:
            until = f" until {ban.until}" if ban.until else ""
            reason = f": {ban.text}" if ban.text else ""
            raise Refused("banned", f"you are banned{until}{reason}")
