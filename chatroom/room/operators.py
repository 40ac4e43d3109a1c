"""What operators can do, and the topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from chatroom.event import CloseReason, Event
from chatroom.room.bans import Ban, Newcomer, is_nick, masks_of, parse_mask
from chatroom.room.commands import (
    Impose,
    Kick,
    Lift,
    Moderate,
    Mute,
    Outcome,
    Own,
    Redact,
    Removed,
    Topic,
    Unmute,
    Voice,
)
from chatroom.room.members import Member
from chatroom.room.nick import NickInvalid, parse_nick
from chatroom.room.owned import Owned
from chatroom.room.refused import Refused
from chatroom.room.role import Role
from chatroom.room.state import Leaving, State, keys_of

#: Who it was if it was the administrator of the machine. Nobody can choose this nick.
ADMINISTRATOR = "server"


class Operators:
    """The commands of those who may; all others are refused with `not_operator`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.commands: dict[type, Callable[[Any], Outcome]] = {
            Topic: self._topic,
            Kick: self._kick,
            Impose: self._ban,
            Lift: self._unban,
            Mute: self._mute,
            Unmute: self._unmute,
            Moderate: self._moderate,
            Voice: self._voice,
            Redact: self._redact,
            Own: self._own,
        }

    def check(self, who: int | None) -> str:
        """The name of an operator. Raises `Refused` if `who` is none, or is not inside."""
        if who is None:
            return ADMINISTRATOR
        member = self._state.members.by_who.get(who)
        if member is None or member.role is not Role.OPERATOR:
            raise Refused("not_operator", "that is for operators")
        return member.nick

    def _topic(self, topic: Topic) -> Outcome:
        state = self._state
        if topic.who is None or state.governed:
            nick = self.check(topic.who)
        else:
            member = state.members.by_who[topic.who]
            if member.silenced:
                state.check_may_talk(member, topic.time)
            nick = member.nick
        event = state.event(topic.time, "topic", nick, topic.text)
        state.topic, state.topic_seq = topic.text, event.seq
        state.topic_by, state.topic_time = nick, topic.time
        return Outcome(event)

    def _kick(self, kick: Kick) -> Outcome:
        by = self.check(kick.who)
        key = _key(kick.nick)
        member = self._state.members.of_key(key)
        if member is None:
            raise Refused("bad_request", f"nobody here is {kick.nick}")
        leaving = Leaving(kick.time, CloseReason.KICKED, by, kick.text)
        return Outcome(removed=self._show_out([member], leaving))

    def _ban(self, ban: Impose) -> Outcome:
        state = self._state
        by = self.check(ban.who)
        mask = parse_mask(ban.mask)
        also = self._also_known_as(mask) if is_nick(mask) else ()
        state.bans.add(Ban(mask, by, ban.time, ban.until, ban.text), also)
        members = [member for member in state.members if self._is_banned(member, ban.time)]
        leaving = Leaving(ban.time, CloseReason.KICKED, by, ban.text)
        return Outcome(removed=self._show_out(members, leaving), masks=tuple(also))

    def _also_known_as(self, key: str) -> Sequence[str]:
        """By what else than its nick a member is to be kept out. An operator's address is not among
        it: who bans somebody in the same house is not to be shut out with them.
        """
        members = self._state.members
        member = members.of_key(key)
        if member is None:
            return ()
        spared = set[str]()
        for other in members:
            if other.role is Role.OPERATOR and other is not member:
                spared.update(masks_of(_newcomer(other)))
        return [mask for mask in masks_of(_newcomer(member)) if mask not in spared]

    def _unban(self, unban: Lift) -> Outcome:
        self.check(unban.who)
        mask = parse_mask(unban.mask)
        if not self._state.bans.lift(mask):
            raise Refused("bad_request", f"there is no ban of {mask}")
        return Outcome()

    def _mute(self, mute: Mute) -> Outcome:
        self.check(mute.who)
        key = _key(mute.nick)
        mutes = self._state.mutes
        for other in [other for other, until in mutes.items() if until and until <= mute.time]:
            del mutes[other]
        mutes[key] = mute.until
        return self._silence(key)

    def _unmute(self, unmute: Unmute) -> Outcome:
        self.check(unmute.who)
        key = _key(unmute.nick)
        if self._state.mutes.pop(key, None) is None:
            raise Refused("bad_request", f"{unmute.nick} is not muted")
        return self._silence(key)

    def _moderate(self, moderate: Moderate) -> Outcome:
        self.check(moderate.who)
        state = self._state
        if state.moderated is moderate.on:
            raise Refused("bad_request", f"the room is{'' if moderate.on else ' not'} moderated")
        state.moderated = moderate.on
        for member in state.members:
            state.look_whether_silenced(member)
        return Outcome()

    def _voice(self, voice: Voice) -> Outcome:
        self.check(voice.who)
        state = self._state
        member = state.members.of_key(_key(voice.nick))
        if member is None:
            raise Refused("bad_request", f"nobody here is {voice.nick}")
        if voice.on:
            state.voices.add(member.key)
        else:
            state.voices.discard(member.key)
        state.look_whether_silenced(member)
        return Outcome(concerns=(member.who,))

    def _silence(self, key: str) -> Outcome:
        member = self._state.members.of_key(key)
        if member is None:
            return Outcome()
        self._state.look_whether_silenced(member)
        return Outcome(concerns=(member.who,))

    def _redact(self, redact: Redact) -> Outcome:
        state = self._state
        by = self.check(redact.who)
        if not 1 <= redact.of <= state.seq:
            raise Refused("bad_request", f"there is no event #{redact.of}")
        if redact.of == state.topic_seq:
            state.topic = ""
        state.seq += 1
        return Outcome(Event(state.seq, redact.time, "redaction", by, redact.text, of=redact.of))

    def _own(self, own: Own) -> Outcome:
        state = self._state
        roles = {key: role for nick, role in own.accounts for key in keys_of([nick])}
        state.owned = Owned(nick for nick, _ in own.accounts)
        gone = []
        changed = []
        for member in [*state.members, *state.anteroom]:
            if member.account and member.account not in roles:
                gone.append(member)
            elif member.account and member.role is not roles[member.account]:
                member.role = roles[member.account]
                if member.who not in state.anteroom:  # whoever is there is looked at as it comes in
                    state.look_whether_silenced(member)
                    changed.append(member.who)
        text = "the account was removed"
        leaving = Leaving(own.time, CloseReason.KICKED, ADMINISTRATOR, text)
        return Outcome(removed=self._show_out(gone, leaving), concerns=tuple(changed))

    def _is_banned(self, member: Member, now: str) -> bool:
        return self._state.bans.of(_newcomer(member), now) is not None

    def _show_out(self, members: Iterable[Member], leaving: Leaving) -> tuple[Removed, ...]:
        text = f"by {leaving.by}" + (f": {leaving.text}" if leaving.text else "")
        removed = Removed(0, leaving.reason, text=text)
        return tuple(
            msgspec.structs.replace(removed, who=member.who, event=self._take_out(member, leaving))
            for member in members
        )

    def _take_out(self, member: Member, leaving: Leaving) -> Event | None:
        if member.who in self._state.anteroom:
            self._state.anteroom.leave(member.who)
            return None
        return self._state.remove(member, leaving)


def _newcomer(member: Member) -> Newcomer:
    return Newcomer(member.key, member.account, member.address)


def _key(nick: str) -> str:
    try:
        return parse_nick(nick)[1]
    except NickInvalid as error:
        raise Refused("nick_invalid", str(error)) from None
