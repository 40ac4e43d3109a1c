"""A room goes on in another process from a snapshot, as if nothing had been."""

from __future__ import annotations

import random

import msgspec
import pytest

from chatroom.room.charter import Charter
from chatroom.room.commands import Join, Moderate, Mute, Own, Reserve, Say, Topic, Voice
from chatroom.room.members import Member
from chatroom.room.role import Role
from chatroom.room.room import Room
from chatroom.room.snapshot import MemberSnapshot, RoomSnapshot
from chatroom.room.state import State
from tests.room.test_replaying import a_days_commands


def _room() -> Room:
    return Room("lobby", max_members=12, presence_limit=8)


def _moved(room: Room, into: Room | None = None) -> Room:
    written = msgspec.msgpack.encode(room.snapshot())
    moved = into or _room()
    moved.put_back(msgspec.msgpack.decode(written, type=RoomSnapshot))
    return moved


@pytest.mark.parametrize("seed", range(10))
def test_the_same_commands_do_the_same_before_and_after(seed: int) -> None:
    rng = random.Random(seed)
    there, here = _room(), _room()
    for command in a_days_commands(rng, 400):
        outcomes = [msgspec.to_builtins(_bare(room, command)) for room in (there, here)]
        assert outcomes[0] == outcomes[1]
        if rng.random() < 0.05:
            here = _moved(here)
    assert msgspec.msgpack.encode(here.snapshot()) == msgspec.msgpack.encode(there.snapshot())


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_left_of_what_a_room_has_been(seed: int) -> None:
    rng = random.Random(seed)
    there, here = _room(), _room()
    for command in a_days_commands(rng, 200):
        _bare(here, command)
    here.latest_speakers(3)
    here = _moved(there, into=here)
    assert (here.everybody(), len(here), here.latest_speakers(3)) == ([], 0, [])
    for command in a_days_commands(rng, 200):
        assert _bare(here, command) == _bare(there, command)
    assert here.snapshot() == there.snapshot()


def _bare(room: Room, command: object) -> object:
    outcome = room.apply(command)  # type: ignore[arg-type]
    refused = outcome.refused and outcome.refused.code
    return refused, outcome.event, outcome.removed, outcome.concerns, outcome.masks


def test_all_that_a_member_has_is_in_it() -> None:
    assert set(MemberSnapshot.__struct_fields__) == set(Member.__slots__)


def test_all_that_a_room_is_is_in_it() -> None:
    state = set(vars(State(Charter(), 0, 8)))
    assert {*RoomSnapshot.__struct_fields__, "anteroom"} == {*state, "outside"}


def test_a_moderated_room_and_its_voices_come_along() -> None:
    room = _room()
    for who, nick in enumerate(["alice", "bob"], 1):
        room.apply(Join(who, "T", nick, f"token {who}"))
    room.apply(Moderate(None, "T", on=True))
    room.apply(Voice(None, "T", "alice", on=True))
    room.apply(Topic(None, "T2", "what for"))
    moved = _moved(room)
    assert moved.has_voice(1)
    assert moved.apply(Say(1, "T", "message", "hi")).event is not None
    refused = moved.apply(Say(2, "T", "message", "hi")).refused
    assert refused is not None
    assert refused.code == "muted"
    assert moved.topic_set == room.topic_set == ("server", "T2")


def test_names_outside_mutes_and_the_last_speakers_come_along() -> None:
    room = _room()
    for who, nick in enumerate(["alice", "bob", "carol"], 1):
        room.apply(Join(who, "T", nick, f"token {who}"))
    room.apply(Reserve(4, "T", "dave"))
    room.apply(Say(2, "T", "message", "hi"))
    room.apply(Mute(None, "T", "carol"))
    moved = _moved(room)
    assert moved.latest_speakers(3) == room.latest_speakers(3) == ["bob", "alice", "carol"]
    assert moved.everybody() == [1, 2, 3, 4]
    refusals = [moved.apply(Say(3, "T", "message", "hi")), moved.apply(Join(5, "T", "dave", "t"))]
    assert [outcome.refused and outcome.refused.code for outcome in refusals] == [
        "muted",
        "nick_taken",
    ]
    assert moved.apply(Join(4, "T", None, "token 4")).event is not None


def test_a_rooms_rules_and_numbers_can_be_set() -> None:
    room = _room()
    room.rule(max_members=1, presence_limit=0, governed=False)
    room.skip_to(41)
    assert room.apply(Join(1, "T", "alice", "token 1")).event is None
    full = room.apply(Join(2, "T", "bob", "token 2")).refused
    assert full is not None
    assert full.code == "room_full"
    event = room.apply(Say(1, "T", "message", "hi")).event
    assert event is not None
    assert event.seq == 42


def test_an_accounts_name_comes_along_as_it_was_given() -> None:
    room = _room()
    room.apply(Join(1, "now", None, "t1", account="CoolAcct"))
    room.apply(Join(2, "now", "bob", "t2"))
    moved = _moved(room)
    for state in (room, moved):
        assert (state.account(1), state.account_name(1)) == ("coolacct", "CoolAcct")
        assert state.account_name(2) is None
    moved.apply(Own("later", (("COOLACCT", Role.MEMBER),)))
    assert moved.account_name(1) == "COOLACCT"
