"""Who is here, held against the simplest room that could be."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from chatroom.event import CloseReason, Event
from chatroom.nick import parse_nick
from chatroom.protocol.requests import Refused
from chatroom.room import Member, Room

MAX_MEMBERS = 7
PRESENCE_LIMIT = 4

names = st.sampled_from(
    ["alice", "Alice", "bob", "b-b", "-b", "guest1", "server", "", "\u00c9va", "e\u0301va", "zoe"]
)
#: Which of these are the same, by the rules for nicks; None cannot be had.
KEYS = {
    "alice": "alice",
    "Alice": "alice",
    "bob": "bob",
    "b-b": "b-b",
    "zoe": "zoe",
    "\u00c9va": "\u00e9va",
    "e\u0301va": "\u00e9va",
    **dict.fromkeys(["-b", "guest1", "server", ""]),
}


class RoomMachine(RuleBasedStateMachine):
    """The model: names in the order of speaking, and a number."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room("lobby", max_members=MAX_MEMBERS, presence_limit=PRESENCE_LIMIT)
        self.keys: dict[Member, str] = {}
        self.silent: list[Member] = []  # the latest to come in is last
        self.speakers: list[Member] = []  # the latest to speak is last
        self.seq = 0
        self.announced = True

    members = Bundle("members")

    def _refusal(self, wanted: str, member: Member | None = None) -> str | None:
        key = KEYS[wanted]
        if key is None:
            return "nick_invalid"
        taken = [other for other, theirs in self.keys.items() if theirs == key]
        return "nick_taken" if taken and taken != [member] else None

    def _expect(self, event: Event | None, *, announced: bool, kind: str) -> None:
        if not announced:
            assert event is None
            return
        self.seq += 1
        assert event is not None
        assert (event.seq, event.kind) == (self.seq, kind)

    @rule(target=members, wanted=st.none() | names)
    def join(self, wanted: str | None) -> object:
        refusal = None if wanted is None else self._refusal(wanted)
        if len(self.keys) >= MAX_MEMBERS:
            refusal = "room_full"
        if refusal is not None:
            with pytest.raises(Refused) as caught:
                self.room.join(wanted, "T")
            assert caught.value.code == refusal
            return None
        member, event = self.room.join(wanted, "T")
        self.keys[member] = member.nick if wanted is None else str(KEYS[wanted])
        self.silent.append(member)
        if len(self.keys) > PRESENCE_LIMIT:
            self.announced = False
        self._expect(event, announced=self.announced, kind="join")
        return member

    @rule(member=members)
    def say(self, member: Member | None) -> None:
        if member is None:
            return
        event = self.room.say(member, "message", "hi", "T")
        self._expect(event, announced=True, kind="message")
        assert event.nick == member.nick
        self._speaks(member)

    def _speaks(self, member: Member) -> None:
        for listed in (self.silent, self.speakers):
            if member in listed:
                listed.remove(member)
        self.speakers.append(member)

    @rule(member=members, wanted=names)
    def rename(self, member: Member | None, wanted: str) -> None:
        if member is None:
            return
        refusal = self._refusal(wanted, member)
        if refusal is None and parse_nick(wanted)[0] == member.nick:
            refusal = "nick_taken"  # by oneself: nothing would happen
        if refusal is not None:
            with pytest.raises(Refused) as caught:
                self.room.rename(member, wanted, "T")
            assert caught.value.code == refusal
            return
        event = self.room.rename(member, wanted, "T")
        self._expect(event, announced=True, kind="rename")
        assert event.to == member.nick
        self.keys[member] = str(KEYS[wanted])
        self._speaks(member)  # who says a new name is heard

    @rule(member=consumes(members))
    def leave(self, member: Member | None) -> None:
        if member is None:
            return
        event = self.room.leave(member, CloseReason.QUIT, "T")
        self._expect(event, announced=self.announced, kind="leave")
        del self.keys[member]
        for listed in (self.silent, self.speakers):
            if member in listed:
                listed.remove(member)
        if len(self.keys) * 2 < PRESENCE_LIMIT:
            self.announced = True

    @rule(member=members)
    def come_back(self, member: Member | None) -> None:
        if member is None:
            return
        token = member.token or self.room.give_token(member)
        assert self.room.holder(token) is member
        assert self.room.holder(token + "x") is None

    @invariant()
    def everybody_is_there_once(self) -> None:
        assert len(self.room) == len(self.keys)
        assert self.room.seq == self.seq
        assert self.room.announced is self.announced
        in_order = [member.nick for member in sorted(self.keys, key=self.keys.__getitem__)]
        assert list(self.room.nicks(0, 100)) == in_order
        assert list(self.room.nicks(2, 3)) == in_order[2:5]
        latest = [member.nick for member in reversed(self.speakers)]
        assert self.room.latest_speakers(100)[: len(latest)] == latest
        assert set(self.room.latest_speakers(100)) == set(in_order)
        assert self.room.latest_speakers(2) == self.room.latest_speakers(100)[:2]


RoomMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestRoom = RoomMachine.TestCase


def test_guests_get_names_that_nobody_has_had() -> None:
    room = Room("lobby", max_members=10, presence_limit=100)
    first, _ = room.join(None, "T")
    room.leave(first, CloseReason.QUIT, "T")
    second, _ = room.join(None, "T")
    assert (first.nick, second.nick) == ("guest1", "guest2")


def test_the_owner_of_a_reserved_name_gets_it_back() -> None:
    room = Room("lobby", max_members=10, presence_limit=100)
    with pytest.raises(Refused):
        room.join("guest7", "T")
    member, _ = room.join("guest7", "T", entitled=True)
    assert member.nick == "guest7"


def test_numbers_go_on_where_the_log_ended() -> None:
    room = Room("lobby", max_members=10, presence_limit=100, last_seq=41)
    _, event = room.join("alice", "T")
    assert event is not None
    assert event.seq == 42


def test_a_token_ends_with_its_member() -> None:
    room = Room("lobby", max_members=10, presence_limit=100)
    member, _ = room.join("alice", "T")
    token = room.give_token(member)
    room.leave(member, CloseReason.LOST, "T")
    assert room.holder(token) is None


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 100])
def test_presence_goes_above_the_limit_and_comes_back_below_half(limit: int) -> None:
    room = Room("lobby", max_members=1000, presence_limit=limit)
    members = []
    for count in range(1, limit + 4):
        member, event = room.join(None, "T")
        members.append(member)
        assert (event is not None) == room.announced == (count <= limit)
    while members:
        room.leave(members.pop(), CloseReason.QUIT, "T")
        assert room.announced == (len(members) * 2 < limit)


def test_nobodys_leave_is_announced_when_the_room_closes() -> None:
    room = Room("lobby", max_members=10, presence_limit=100)
    member, _ = room.join("alice", "T")
    room.closing = True
    assert room.leave(member, CloseReason.SHUTDOWN, "T") is None
    assert room.seq == 1
