"""Who comes in without being announced: its leave fits, whatever it does meanwhile."""

from __future__ import annotations

import pytest

from chatroom.event import CloseReason
from chatroom.room.commands import (
    Announce,
    Command,
    Impose,
    Join,
    Kick,
    Leave,
    Mute,
    Rename,
    Reserve,
    Say,
)
from chatroom.room.room import Room

T = "2026-11-25T12:00:00.000000Z"


@pytest.fixture
def room() -> Room:
    """Alice is here, and bob, of whom nobody has been told."""
    room = Room("lobby", max_members=10, presence_limit=5)
    room.apply(Join(1, T, "alice", "t1"))
    assert room.apply(Join(2, T, "bob", "t2", told=False)).event is None
    assert len(room) == 2
    assert room.nicks(0, 10) == ["alice", "bob"]
    return room


def _kinds(room: Room, *commands: Command) -> list[str]:
    """What the others are told."""
    kinds = []
    for command in commands:
        outcome = room.apply(command)
        assert outcome.refused is None
        kinds += [gone.event.kind for gone in outcome.removed if gone.event]
        kinds += [outcome.event.kind] if outcome.event else []
    return kinds


LEAVE = Leave(2, T, CloseReason.QUIT)


@pytest.mark.parametrize(
    ("meanwhile", "told"),
    [
        ([], []),
        ([Announce(2, T)], ["join", "leave"]),
        ([Say(2, T, "message", "hi")], ["message", "leave"]),
        ([Say(2, T, "message", "hi"), Announce(2, T)], ["message", "join", "leave"]),
        ([Rename(2, T, "bert")], ["rename", "leave"]),
        ([Rename(2, T, "bert"), Announce(2, T)], ["rename", "join", "leave"]),
    ],
)
def test_who_could_be_known_of_is_told_when_it_goes(
    room: Room, meanwhile: list[Command], told: list[str]
) -> None:
    assert _kinds(room, *meanwhile, LEAVE) == told
    assert room.seq == 1 + len(told)


@pytest.mark.parametrize(
    "end", [Kick(None, T, "bob"), Impose(None, T, "bob"), Join(3, T, "bob", "t3", "t2")]
)
def test_who_is_made_to_go_was_never_there(room: Room, end: Command) -> None:
    assert _kinds(room, end) == (["join"] if isinstance(end, Join) else [])


def test_who_has_gone_is_not_announced(room: Room) -> None:
    assert _kinds(room, LEAVE, Announce(2, T)) == []


def test_a_word_that_is_refused_tells_nothing(room: Room) -> None:
    room.apply(Mute(None, T, "bob"))
    refused = room.apply(Say(2, T, "message", "hi")).refused
    assert refused is not None
    assert refused.code == "muted"
    assert _kinds(room, LEAVE) == []


def test_who_parts_and_comes_again_is_told_as_it_comes(room: Room) -> None:
    part = Leave(2, T, CloseReason.QUIT, part=True)
    again = Join(2, T, None, "t4")
    assert _kinds(room, part, again, LEAVE) == ["join", "leave"]
    reserve = Reserve(5, T, "carl")
    unsaid = Join(5, T, None, "t5", told=False)
    assert _kinds(room, reserve, unsaid, Announce(5, T), Leave(5, T, CloseReason.QUIT)) == [
        "join",
        "leave",
    ]


def test_over_the_limit_nobody_is_announced_later_either(room: Room) -> None:
    for who in range(3, 7):
        room.apply(Join(who, T, None, f"t{who}"))
    assert not room.announced
    assert _kinds(room, Announce(2, T)) == []
