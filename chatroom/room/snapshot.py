"""All that a room is, as a value: another process goes on from there."""

from __future__ import annotations

import msgspec

from chatroom.room.bans import Ban, Bans
from chatroom.room.charter import Charter
from chatroom.room.members import Member
from chatroom.room.owned import Owned
from chatroom.room.role import Role
from chatroom.room.state import State


class MemberSnapshot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Somebody who has a name; the fields are those of `Member`."""

    who: int
    nick: str
    key: str
    token: str
    account: str
    role: Role
    address: str
    silenced: bool
    told: bool


class RoomSnapshot(msgspec.Struct, frozen=True):
    """What `Room.snapshot` returns. The order of everything in it is part of it."""

    seq: int
    guests: int
    announced: bool
    closing: bool
    presence_limit: int
    governed: bool
    members: list[MemberSnapshot]  #: the latest speaker is last
    outside: list[MemberSnapshot]  #: those who have a name reserved
    bans: list[Ban]
    topic: str
    topic_seq: int
    topic_by: str
    topic_time: str
    moderated: bool
    voices: list[str]  #: keys of members
    mutes: list[tuple[str, str]]  #: key of a nick, and until when
    owned: list[str]  #: names of accounts


def take(state: State) -> RoomSnapshot:
    """What the state is now."""
    return RoomSnapshot(
        state.seq,
        state.guests,
        state.announced,
        state.closing,
        state.presence_limit,
        state.governed,
        [_written(member) for member in state.members],
        [_written(member) for member in state.anteroom],
        # Those whose time is over too: what is forgotten when is part of the state.
        list(state.bans.all("")),
        state.topic,
        state.topic_seq,
        state.topic_by,
        state.topic_time,
        state.moderated,
        sorted(state.voices),
        list(state.mutes.items()),
        list(state.owned),
    )


def read(snapshot: RoomSnapshot) -> State:
    """The state that it was taken of."""
    state = State(Charter(), snapshot.seq, snapshot.presence_limit)
    state.guests = snapshot.guests
    state.announced, state.closing = snapshot.announced, snapshot.closing
    state.governed = snapshot.governed
    for member in reversed(snapshot.members):  # who comes in is put in front
        state.members.add(_read(member))
    for member in snapshot.outside:
        state.anteroom.enter(_read(member))
    state.bans = Bans(snapshot.bans)
    state.topic, state.topic_seq = snapshot.topic, snapshot.topic_seq
    state.topic_by, state.topic_time = snapshot.topic_by, snapshot.topic_time
    state.moderated, state.voices = snapshot.moderated, set(snapshot.voices)
    state.mutes = dict(snapshot.mutes)
    state.owned = Owned(snapshot.owned)
    return state


def _written(member: Member) -> MemberSnapshot:
    return MemberSnapshot(
        member.who,
        member.nick,
        member.key,
        member.token,
        member.account,
        member.role,
        member.address,
        member.silenced,
        member.told,
    )


def _read(written: MemberSnapshot) -> Member:
    member = Member(written.who, written.nick, written.key, written.token)
    member.account, member.role = written.account, written.role
    member.address, member.silenced = written.address, written.silenced
    member.told = written.told
    return member
