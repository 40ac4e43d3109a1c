"""What operators can do, what everybody else cannot, and how long it holds."""

from __future__ import annotations

import pytest

from chatroom.event import CloseReason, Event, encode_event
from chatroom.room.bans import MAX_BANS, Ban, Bans, parse_mask
from chatroom.room.charter import Charter
from chatroom.room.commands import (
    Command,
    Impose,
    Join,
    Kick,
    Leave,
    Lift,
    LogIn,
    Moderate,
    Mute,
    Outcome,
    Own,
    Redact,
    Rename,
    Say,
    Topic,
    Unmute,
    Voice,
)
from chatroom.room.refused import Refused
from chatroom.room.role import Role
from chatroom.room.room import Room

NOW, SOON, LATER = (f"2026-11-25T0{hour}:00:00.000000Z" for hour in (1, 2, 3))

OLGA, BOB = 1, 2


GOVERNED = Charter(governed=True)


def _room(charter: Charter = GOVERNED) -> Room:
    room = Room("lobby", max_members=10, presence_limit=100, charter=charter)
    room.apply(Join(OLGA, NOW, None, "t1", account="olga", role=Role.OPERATOR))
    room.apply(Join(BOB, NOW, "bob", "t2", address="192.0.2.7"))
    return room


def _code(outcome: Outcome) -> str | None:
    return None if outcome.refused is None else outcome.refused.code


def _gone(outcome: Outcome) -> list[int]:
    assert outcome.refused is None
    return [gone.who for gone in outcome.removed]


@pytest.mark.parametrize(
    "command",
    [
        Topic(BOB, NOW, "cats"),
        Kick(BOB, NOW, "olga"),
        Impose(BOB, NOW, "olga"),
        Lift(BOB, NOW, "zoe"),
        Mute(BOB, NOW, "olga"),
        Unmute(BOB, NOW, "zoe"),
        Redact(BOB, NOW, 1),
    ],
)
def test_who_is_no_operator_changes_nothing(command: Command) -> None:
    room = _room()
    room.apply(Impose(OLGA, NOW, "zoe"))
    room.apply(Mute(OLGA, NOW, "zoe"))
    before = (room.seq, room.topic, room.bans(OLGA, NOW))
    assert _code(room.apply(command)) == "not_operator"
    assert (room.seq, room.topic, room.bans(OLGA, NOW)) == before
    assert _code(room.apply(Say(OLGA, NOW, "message", "still here"))) is None


def test_the_administrator_of_the_machine_may_do_it_too() -> None:
    room = _room()
    outcome = room.apply(Kick(None, NOW, "Bob", "enough"))
    assert _gone(outcome) == [BOB]
    leave = outcome.removed[0].event
    assert leave is not None
    assert encode_event(leave) == (
        b'{"seq":3,"time":"%b","kind":"leave","nick":"bob","text":"enough","reason":"kicked",'
        b'"by":"server"}' % NOW.encode()
    )


def test_a_topic_is_an_event_and_is_kept() -> None:
    room = _room()
    event = room.apply(Topic(OLGA, NOW, "cats")).event
    assert event == Event(3, NOW, "topic", "olga", "cats")
    assert room.topic == "cats"
    assert room.charter(NOW).topic == "cats"
    room.apply(Redact(OLGA, NOW, 3))
    assert room.topic == ""


def test_where_nobody_governs_the_topic_is_everybodys_who_may_talk() -> None:
    room = _room(Charter())
    assert room.apply(Topic(BOB, NOW, "dogs")).event == Event(3, NOW, "topic", "bob", "dogs")
    room.apply(Mute(OLGA, NOW, "bob"))
    assert _code(room.apply(Topic(BOB, NOW, "birds"))) == "muted"
    assert room.topic == "dogs"


def test_a_redaction_names_an_event_that_there_was() -> None:
    room = _room()
    assert room.apply(Redact(OLGA, NOW, 2)).event == Event(3, NOW, "redaction", "olga", of=2)
    for never in (0, 4, 2**62):
        assert _code(room.apply(Redact(OLGA, NOW, never))) == "bad_request"
    assert room.seq == 3


def test_somebody_who_is_not_here_cannot_be_kicked() -> None:
    assert _code(_room().apply(Kick(OLGA, NOW, "zoe"))) == "bad_request"
    assert _code(_room().apply(Kick(OLGA, NOW, "-"))) == "nick_invalid"


@pytest.mark.parametrize(
    ("mask", "hits"),
    [
        ("BOB", True),
        ("192.0.2.7", True),
        ("192.0.2.99/24", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::/32", False),
        ("account:bob", False),
        ("alice", False),
    ],
)
def test_a_ban_shows_out_and_keeps_out_whom_it_names(mask: str, hits: bool) -> None:
    room = _room()
    assert _gone(room.apply(Impose(OLGA, NOW, mask, text="enough"))) == ([BOB] if hits else [])
    if not hits:
        return
    refused = room.apply(Join(3, NOW, "bob", "t3", address="192.0.2.7")).refused
    assert refused is not None
    assert (refused.code, refused.text) == ("banned", "you are banned: enough")
    room.apply(Lift(OLGA, NOW, mask))
    assert _code(room.apply(Join(4, NOW, "bob", "t4", address="192.0.2.7"))) is None


def test_an_address_in_ipv6s_clothes_is_the_same_address() -> None:
    room = _room()
    room.apply(Impose(OLGA, NOW, "192.0.2.0/24"))
    join = Join(3, NOW, None, "t3", address="::ffff:192.0.2.9")
    assert _code(room.apply(join)) == "banned"


def test_an_account_is_banned_under_any_nick_and_from_anywhere() -> None:
    room = _room()
    room.apply(Impose(OLGA, NOW, "account:Zoe"))
    join = Join(3, NOW, "other", "t3", account="zoe", address="198.51.100.1")
    assert _code(room.apply(join)) == "banned"
    room.apply(Join(4, NOW, "other", "t4"))
    assert _code(room.apply(LogIn(4, NOW, "zoe", Role.MEMBER))) == "banned"
    assert room.account(4) is None


def test_a_banned_nick_cannot_be_taken_by_a_rename() -> None:
    room = _room()
    room.apply(Impose(OLGA, NOW, "zoe"))
    assert _code(room.apply(Rename(BOB, NOW, "Zoe"))) == "banned"


def test_a_ban_ends_at_its_time() -> None:
    room = _room()
    room.apply(Impose(OLGA, NOW, "bob", SOON))
    assert [ban.mask for ban in room.bans(OLGA, NOW)] == ["bob", "192.0.2.7"]
    assert _code(room.apply(Join(3, NOW, "bob", "t3"))) == "banned"
    assert _code(room.apply(Join(4, SOON, "bob", "t4"))) is None
    assert room.bans(OLGA, SOON) == []
    assert room.charter(SOON).bans == ()
    assert room.ban_of_address("192.0.2.7", NOW) is not None
    assert room.ban_of_address("192.0.2.7", SOON) is None


def test_bans_outlive_the_room() -> None:
    room = _room()
    room.apply(Impose(OLGA, NOW, "192.0.2.0/24", LATER, "enough"))
    next_room = Room("lobby", max_members=9, presence_limit=9, charter=room.charter(NOW))
    assert room.charter(NOW).bans == (Ban("192.0.2.0/24", "olga", NOW, LATER, "enough"),)
    join = Join(1, SOON, "bob", "t", address="192.0.2.7")
    assert _code(next_room.apply(join)) == "banned"


def test_there_are_so_many_bans_and_no_more() -> None:
    bans = Bans(Ban(str(number), "olga", NOW, SOON) for number in range(MAX_BANS))
    with pytest.raises(Refused, match="bans already"):
        bans.add(Ban("new", "olga", NOW))
    bans.add(Ban("7", "olga", NOW, SOON, "another reason"))
    bans.add(Ban("new", "olga", SOON))  # those are over
    assert [ban.mask for ban in bans.all(SOON)] == ["new"]


@pytest.mark.parametrize("mask", ["", "-", "account:", "10.0.0.0/33", "a b", "account:10.0.0.0/8"])
def test_what_is_no_mask_is_refused(mask: str) -> None:
    with pytest.raises(Refused):
        parse_mask(mask)


def test_masks_have_one_spelling() -> None:
    spelled = ["Straße", "account:Alice", "10.1.2.3/8", "10.1.2.3/32", "2001:DB8::1"]
    assert [parse_mask(mask) for mask in spelled] == [
        "strasse",
        "account:alice",
        "10.0.0.0/8",
        "10.1.2.3",
        "2001:db8::1",
    ]


def test_who_is_muted_does_not_talk_until_it_may() -> None:
    room = _room()
    assert room.apply(Mute(OLGA, NOW, "bob", SOON)).concerns == (BOB,)
    assert _code(room.apply(Say(BOB, NOW, "message", "hi"))) == "muted"
    assert _code(room.apply(Say(BOB, SOON, "message", "hi"))) is None
    assert _code(room.apply(Unmute(OLGA, SOON, "bob"))) == "bad_request"  # that is over
    room.apply(Mute(OLGA, NOW, "bob"))
    assert _code(room.apply(Say(BOB, LATER, "action", "waves"))) == "muted"
    assert room.apply(Unmute(OLGA, NOW, "bob")).concerns == (BOB,)
    assert _code(room.apply(Say(BOB, NOW, "message", "hi"))) is None
    assert _code(room.apply(Unmute(OLGA, NOW, "bob"))) == "bad_request"


def test_neither_another_name_nor_coming_back_ends_a_mute() -> None:
    room = _room()
    room.apply(Mute(OLGA, NOW, "bob"))
    room.apply(Rename(BOB, NOW, "rob"))
    assert _code(room.apply(Say(BOB, NOW, "message", "hi"))) == "muted"
    room.apply(Join(3, NOW, "bob", "t3"))
    assert _code(room.apply(Say(3, NOW, "message", "hi"))) == "muted"


@pytest.mark.parametrize(
    ("own", "found", "kept"),
    [(SOON, "", ""), ("", SOON, ""), (SOON, LATER, LATER), (LATER, SOON, LATER)],
)
def test_of_two_mutes_that_a_name_comes_to_have_the_longer_one_holds(
    own: str, found: str, kept: str
) -> None:
    room = _room()
    room.apply(Mute(OLGA, NOW, "rob", found))
    room.apply(Mute(OLGA, NOW, "bob", own))
    room.apply(Rename(BOB, NOW, "rob"))
    assert room.legacy(NOW).mutes == (("rob", kept), ("bob", own))


@pytest.mark.parametrize("part", [True, False])
def test_who_may_not_talk_says_nothing_by_going(part: bool) -> None:
    """PART and JOIN again would be as good as talking."""
    room = _room()

    def last_words(who: int, time: str = NOW) -> str:
        event = room.apply(Leave(who, time, CloseReason.QUIT, "abuse", part=part)).event
        assert event is not None
        assert event.part is part
        return event.text

    room.apply(Join(3, NOW, None, "t3", account="lily", role=Role.LISTENER))
    room.apply(Join(4, NOW, "carol", "t4"))
    room.apply(Join(5, NOW, "dave", "t5"))
    room.apply(Mute(OLGA, NOW, "bob", SOON))
    room.apply(Mute(OLGA, NOW, "dave", SOON))
    assert [last_words(BOB), last_words(3)] == ["", ""]
    assert [last_words(4), last_words(5, LATER)] == ["abuse", "abuse"]
    room.apply(Join(6, NOW, "erin", "t6"))
    room.apply(Moderate(OLGA, NOW, on=True))
    assert [last_words(6), last_words(OLGA)] == ["", "abuse"]


def test_a_voice_goes_with_whoever_takes_another_name() -> None:
    room = _room()
    room.apply(Voice(OLGA, NOW, "bob", on=True))
    room.apply(Moderate(OLGA, NOW, on=True))
    room.apply(Rename(BOB, NOW, "rob"))
    room.apply(Join(3, NOW, "bob", "t3"))
    assert [room.has_voice(who) for who in (BOB, 3)] == [True, False]
    assert _code(room.apply(Say(BOB, NOW, "message", "hi"))) is None
    assert _code(room.apply(Say(3, NOW, "message", "hi"))) == "muted"


def test_a_voice_goes_with_whoever_leaves() -> None:
    room = _room()
    room.apply(Voice(OLGA, NOW, "bob", on=True))
    room.apply(Leave(BOB, NOW, CloseReason.QUIT))
    room.apply(Join(3, NOW, "bob", "t3"))
    assert not room.has_voice(3)


def test_a_listener_never_talks() -> None:
    room = _room()
    room.apply(Join(3, NOW, None, "t3", account="lily", role=Role.LISTENER))
    assert room.nick(3) == "lily"
    assert _code(room.apply(Say(3, LATER, "message", "hi"))) == "muted"


def test_the_nick_of_an_account_is_reserved_also_while_it_is_away() -> None:
    room = _room(Charter(governed=True, owned=("Zoe",)))
    assert _code(room.apply(Join(3, NOW, "zoe", "t3"))) == "nick_taken"
    assert _code(room.apply(Rename(BOB, NOW, "ZOE"))) == "nick_taken"
    assert _code(room.apply(Join(4, NOW, None, "t4", account="zoe"))) is None
    assert room.nick(4) == "zoe"


def test_an_account_that_the_room_had_not_heard_of_keeps_its_nick_too() -> None:
    room = _room()
    room.apply(LogIn(BOB, NOW, "zoe", Role.MEMBER))
    for who in (OLGA, BOB):
        nick = room.nick(who)
        room.apply(Leave(who, NOW, CloseReason.QUIT))
        assert _code(room.apply(Join(3, NOW, nick, "t3"))) == "nick_taken"


def test_an_account_takes_its_nick_from_whoever_has_it() -> None:
    room = _room()
    first = room.apply(Join(3, NOW, None, "t3", account="Bob"))
    assert [(gone.who, gone.reason) for gone in first.removed] == [(BOB, CloseReason.REPLACED)]
    again = room.apply(Join(4, NOW, "bob", "t4", account="Bob"))
    assert _gone(again) == [3]
    other = room.apply(Join(5, NOW, "bob2", "t5", account="Bob"))
    assert (_gone(other), room.nick(5), room.account(5)) == ([], "bob2", "bob")


def test_a_guest_logs_in_and_gets_its_nick() -> None:
    room = _room()
    room.apply(Join(3, NOW, None, "t3"))
    outcome = room.apply(LogIn(3, NOW, "bob", Role.OPERATOR))
    assert _gone(outcome) == [BOB]
    assert outcome.event is not None
    assert (outcome.event.kind, outcome.event.to) == ("rename", "bob")
    assert room.role(3) is Role.OPERATOR
    assert room.apply(LogIn(3, NOW, "bob", Role.MEMBER)).event is None


def test_a_refused_account_owns_nothing() -> None:
    room = Room("lobby", max_members=1, presence_limit=9)
    room.apply(Join(1, NOW, "a", "t1"))
    assert _code(room.apply(Join(2, NOW, None, "t2", account="zoe"))) == "room_full"
    assert _code(room.apply(Rename(1, NOW, "zoe"))) is None


def test_when_the_accounts_change_those_here_follow() -> None:
    room = _room()
    room.apply(Join(3, NOW, None, "t3", account="zoe"))
    room.apply(Join(4, NOW, "other", "t4", account="lily", role=Role.LISTENER))
    now = (("Olga", Role.LISTENER), ("Lily", Role.OPERATOR), ("new", Role.MEMBER))
    outcome = room.apply(Own(NOW, now))
    assert [(gone.who, gone.text) for gone in outcome.removed] == [
        (3, "by server: the account was removed")
    ]
    assert (room.role(OLGA), room.role(4)) == (Role.LISTENER, Role.OPERATOR)
    assert _code(room.apply(Say(OLGA, NOW, "message", "hi"))) == "muted"
    assert _code(room.apply(Say(4, NOW, "message", "hi"))) is None
    assert _code(room.apply(Join(5, NOW, "NEW", "t5"))) == "nick_taken"
    assert _code(room.apply(Join(6, NOW, "zoe", "t6"))) is None


def _masks(room: Room) -> list[str]:
    return [ban.mask for ban in room.bans(OLGA, NOW)]


@pytest.mark.parametrize(
    ("address", "mask"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::7", "2001:db8:1:2::/64"),
        ("fe80::7%eth0", "fe80::/64"),
        ("127.0.0.1", None),
        ("::1", None),
        ("", None),
    ],
)
def test_a_ban_of_a_nick_is_of_the_person(address: str, mask: str | None) -> None:
    room = _room()
    room.apply(Join(3, NOW, None, "t3", account="eve", address=address))
    outcome = room.apply(Impose(OLGA, NOW, "EVE", text="enough"))
    also = ("account:eve",) if mask is None else ("account:eve", mask)
    assert outcome.masks == also
    assert _masks(room) == ["eve", *also]
    assert 3 in _gone(outcome)
    again = room.apply(Join(4, NOW, "zoe", "t4", address=address))
    assert _code(again) == (None if mask is None else "banned")
    assert _code(room.apply(Join(5, NOW, "amy", "t5", account="eve"))) == "banned"
    room.apply(Lift(OLGA, NOW, "eve"))
    assert _masks(room) == []


def test_who_is_not_here_is_banned_by_nick() -> None:
    room = _room()
    assert room.apply(Impose(OLGA, NOW, "zoe")).masks == ()
    assert _masks(room) == ["zoe"]


def test_an_operator_does_not_shut_itself_out() -> None:
    room = Room("lobby", max_members=10, presence_limit=100, charter=GOVERNED)
    home = "192.0.2.7"
    join = Join(OLGA, NOW, None, "t1", account="olga", role=Role.OPERATOR, address=home)
    room.apply(join)
    room.apply(Join(BOB, NOW, "bob", "t2", address=home))
    outcome = room.apply(Impose(OLGA, NOW, "bob"))
    assert (_gone(outcome), outcome.masks) == ([BOB], ())


def test_what_was_banned_by_itself_is_not_lifted_with_a_nick() -> None:
    room = _room()
    room.apply(Impose(OLGA, NOW, "bob"))
    room.apply(Impose(OLGA, NOW, "192.0.2.7"))
    room.apply(Lift(OLGA, NOW, "bob"))
    assert _masks(room) == ["192.0.2.7"]
    room.apply(Join(3, NOW, "zoe", "t3", account="zoe"))
    room.apply(Impose(OLGA, NOW, "account:zoe", LATER))
    room.apply(Join(4, LATER, "zoe", "t4", account="zoe"))
    room.apply(Impose(OLGA, NOW, "zoe"))
    room.apply(Lift(OLGA, NOW, "zoe"))
    assert _masks(room) == ["192.0.2.7", "account:zoe"]


def test_a_ban_that_finds_no_place_changes_nothing() -> None:
    bans = Bans(Ban(str(number), "olga", NOW) for number in range(MAX_BANS - 1))
    with pytest.raises(Refused, match="bans already"):
        bans.add(Ban("bob", "olga", NOW), ["account:bob"])
    assert len(bans.all(NOW)) == MAX_BANS - 1
