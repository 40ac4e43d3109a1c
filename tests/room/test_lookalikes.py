"""Names that are not the same and look it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.event import CloseReason
from chatroom.room.commands import Join, Leave, LogIn, Own, Rename, Reserve
from chatroom.room.lookalikes import Lookalikes
from chatroom.room.nick import NickInvalid, is_reserved, parse_nick
from chatroom.room.role import Role
from chatroom.room.room import Room

TIME = "2026-11-25T00:00:00.000000Z"
COCO = "\u0441\u043e\u0441\u043e"  # all Cyrillic


def make_room() -> Room:
    return Room("lobby", max_members=100, presence_limit=100)


def refusal(room: Room, who: int, nick: str) -> str | None:
    refused = room.apply(Join(who, TIME, nick, f"token {who}")).refused
    return None if refused is None else refused.text


@pytest.mark.parametrize(
    "nick",
    [
        "\u0430lice",  # a Cyrillic a
        "\u0455erver",
        "\u03b1lpha",  # a Greek alpha
        "\u0438\u0432\u0251\u043d",  # a Latin alpha among Cyrillic letters
        "\u30abлa",
        "\u0967\u0662",  # a Hindi and an Arabic digit
        "e\u0301\u0301\u0301\u0301",
        "\u05e9\u05b8\u05c1\u05bc",
    ],
    ids=ascii,
)
def test_a_name_has_one_script_and_no_towers(nick: str) -> None:
    with pytest.raises(NickInvalid, match=r"script|marks"):
        parse_nick(nick)


@pytest.mark.parametrize(
    "nick",
    [
        "\u3055\u304f\u3089\u30ab\u30ca\u674e-Tokyo2",  # Japanese is written in three, and Latin
        "\uae40\u674ekim",
        "\u042e\u043b\u0438\u044f-7",
        "\u1e69\u0323",
    ],
    ids=ascii,
)
def test_scripts_that_are_written_together(nick: str) -> None:
    assert parse_nick(nick)


@pytest.mark.parametrize("nick", ["\u0261uest1", "\ua731erver"], ids=ascii)
def test_what_looks_like_a_name_of_the_servers_own_is_kept_as_well(nick: str) -> None:
    assert is_reserved(*parse_nick(nick))


@pytest.mark.parametrize(("first", "second"), [("coco", COCO), (COCO, "Coco"), (COCO, "COCO")])
def test_who_comes_first_has_the_look(first: str, second: str) -> None:
    room = make_room()
    assert refusal(room, 1, first) is None
    assert refusal(room, 2, second) == f"the nick {second} looks like one that is taken"
    room.apply(Leave(1, TIME, CloseReason.QUIT))
    assert refusal(room, 2, second) is None


def test_a_big_letter_can_look_the_same_where_the_small_one_does_not() -> None:
    room = make_room()
    assert refusal(room, 1, "HEHE") is None
    assert refusal(room, 2, "\u041d\u0415\u041d\u0415") is not None


def test_ascii_is_told_apart() -> None:
    room = make_room()
    assert [refusal(room, who, nick) for who, nick in enumerate(["bob1", "bobl", "bobI"])] == [
        None,
        None,
        None,
    ]


def test_one_may_look_like_oneself() -> None:
    room = make_room()
    room.apply(Join(1, TIME, COCO, "token"))
    assert room.apply(Rename(1, TIME, "coco")).refused is None
    assert room.apply(Rename(1, TIME, COCO)).refused is None
    assert refusal(room, 2, "coco") is not None
    room.apply(Reserve(3, TIME, "\u0430\u0430"))
    assert refusal(room, 4, "aa") is not None
    assert room.apply(Rename(3, TIME, "\u0430\u0430\u0430")).refused is None
    assert refusal(room, 4, "aa") is None


def test_an_account_keeps_its_look_while_it_is_away_and_comes_in_whoever_is_there() -> None:
    room = make_room()
    assert refusal(room, 1, COCO) is None
    room.apply(Own(TIME, (("coco", Role.MEMBER),)))
    assert room.apply(Rename(1, TIME, "\u0421\u043e\u0441\u043e")).refused is not None
    room.apply(Join(2, TIME, None, "two"))
    assert room.apply(LogIn(2, TIME, "coco", Role.MEMBER)).refused is None
    room.apply(Own(TIME, ()))
    room.apply(Leave(1, TIME, CloseReason.QUIT))
    assert refusal(room, 3, COCO) is None


names = st.sampled_from(["coco", "Coco", COCO, "\u0421\u041e\u0421\u041e", "aa", "\u0430\u0430"])


@given(st.lists(names))
def test_nothing_is_left_of_names_that_have_gone(chosen: list[str]) -> None:
    looks = Lookalikes()
    for nick in chosen:
        looks.add(*parse_nick(nick))
    for nick in chosen:
        looks.remove(*parse_nick(nick))
    assert not looks.has_like(*parse_nick(COCO), set())
    assert not looks.has_like("coco", "coco", set())
