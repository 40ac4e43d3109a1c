"""Names that are held without being in the room."""

from __future__ import annotations

import pytest

from chatroom.event import CloseReason, Event
from chatroom.room.commands import Impose, Join, Leave, Outcome, Removed, Rename, Reserve
from chatroom.room.role import Role
from chatroom.room.room import Room

T = "2026-11-25T10:00:00.000000Z"


def _room(max_members: int = 3) -> Room:
    return Room("lobby", max_members=max_members, presence_limit=10)


def _found(room: Room, nick: str) -> tuple[int, bool] | None:
    found = room.find(nick)
    return None if found is None else (found[0].who, found[1])


def _code(outcome: Outcome) -> str:
    return "" if outcome.refused is None else outcome.refused.code


def test_a_reserved_name_is_nobody_elses_and_no_event() -> None:
    room = _room()
    assert room.apply(Reserve(1, T, "Alice")) == Outcome()
    assert (len(room), room.seq, room.nick(1), room.nicks(0, 9)) == (0, 0, "Alice", [])
    assert _code(room.apply(Join(2, T, "alice", "t2"))) == "nick_taken"
    assert _code(room.apply(Reserve(2, T, "ALICE"))) == "nick_taken"
    assert _code(room.apply(Reserve(2, T, "-"))) == "nick_invalid"
    assert _found(room, "aLICE") == (1, False)


def test_who_holds_a_name_enters_under_it_goes_out_and_comes_back() -> None:
    room = _room()
    room.apply(Reserve(1, T, "alice"))
    assert room.apply(Join(1, T, None, "t1")).event == Event(1, T, "join", "alice")
    assert _found(room, "alice") == (1, True)
    assert [member.who for member in room.members(0, 9)] == [1]
    out = Leave(1, T, CloseReason.QUIT, "bye", part=True)
    left = Event(2, T, "leave", "alice", "bye", reason="quit", part=True)
    assert room.apply(out).event == left
    assert _found(room, "alice") == (1, False)
    with pytest.raises(KeyError):
        room.say(1, T, "message", "x")
    assert room.apply(Join(1, T, None, "t2")).event == Event(3, T, "join", "alice")
    with pytest.raises(KeyError):
        room.apply(Reserve(1, T, "x"))


def test_a_name_is_free_when_its_holder_goes_or_takes_another() -> None:
    room = _room()
    room.apply(Reserve(1, T, "alice"))
    assert room.apply(Rename(1, T, "bob")) == Outcome()
    assert room.find("alice") is None
    assert _code(room.apply(Rename(1, T, "-"))) == "nick_invalid"
    assert room.nick(1) == "bob"
    assert room.apply(Rename(1, T, "Bob")) == Outcome()
    assert room.nick(1) == "Bob"
    assert room.apply(Leave(1, T, CloseReason.LOST)) == Outcome()
    assert room.find("bob") is None
    with pytest.raises(KeyError):
        room.nick(1)


def test_who_holds_a_name_has_a_place() -> None:
    room = _room(max_members=1)
    room.apply(Reserve(1, T, None))
    assert room.nick(1) == "guest1"
    assert _code(room.apply(Join(2, T, None, "t2"))) == "room_full"
    assert _code(room.apply(Reserve(2, T, None))) == "room_full"
    assert room.apply(Join(1, T, None, "t1")).event is not None


def test_an_accounts_nick_is_taken_back_from_whoever_holds_it() -> None:
    room = _room()
    room.apply(Reserve(1, T, "alice"))
    outcome = room.apply(Reserve(2, T, None, account="Alice", role=Role.OPERATOR))
    assert outcome.removed == (Removed(1, CloseReason.REPLACED),)
    room.apply(Join(2, T, None, "t2"))
    assert (room.nick(2), room.role(2), room.account(2)) == ("Alice", Role.OPERATOR, "alice")
    room.apply(Leave(2, T, CloseReason.QUIT, part=True))
    back = room.apply(Join(3, T, None, "t3", account="alice"))
    assert back.removed == (Removed(2, CloseReason.REPLACED),)


def test_who_is_banned_meanwhile_does_not_come_in() -> None:
    room = _room()
    room.apply(Reserve(1, T, "alice"))
    room.apply(Impose(None, T, "alice"))
    assert _code(room.apply(Join(1, T, None, "t1"))) == "banned"
    assert _found(room, "alice") == (1, False)
    assert _code(room.apply(Rename(1, T, "alice2"))) == ""
    assert _code(room.apply(Rename(1, T, "alice"))) == ""  # it keeps out of the room only
    assert _code(room.apply(Join(1, T, None, "t1"))) == "banned"
    assert _code(room.apply(Leave(1, T, CloseReason.QUIT))) == ""
    assert _code(room.apply(Reserve(2, T, "alice"))) == ""
    assert _code(room.apply(Join(2, T, None, "t2"))) == "banned"
