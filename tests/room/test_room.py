"""Who is here, held against the simplest room that could be; and the same commands twice."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from chatroom.event import CloseReason, Event
from chatroom.room.commands import Close, Command, Join, Leave, Outcome, Rename, Say
from chatroom.room.nick import parse_nick
from chatroom.room.room import Room

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
        self.keys: dict[int, str] = {}
        self.silent: list[int] = []  # the latest to come in is last
        self.speakers: list[int] = []  # the latest to speak is last
        self.seq = 0
        self.announced = True
        self._newcomers = 0

    members = Bundle("members")

    def _refusal(self, wanted: str, who: int | None = None) -> str | None:
        key = KEYS[wanted]
        if key is None:
            return "nick_invalid"
        taken = [other for other, theirs in self.keys.items() if theirs == key]
        return "nick_taken" if taken and taken != [who] else None

    def _expect(self, event: Event | None, *, announced: bool, kind: str) -> None:
        if not announced:
            assert event is None
            return
        self.seq += 1
        assert event is not None
        assert (event.seq, event.kind, event.time) == (self.seq, kind, "T")

    def _refused(self, outcome: Outcome, code: str) -> None:
        assert outcome.refused is not None
        assert outcome.refused.code == code
        assert (outcome.event, outcome.removed) == (None, ())

    @rule(target=members, wanted=st.none() | names)
    def join(self, wanted: str | None) -> object:
        refusal = None if wanted is None else self._refusal(wanted)
        if len(self.keys) >= MAX_MEMBERS:
            refusal = "room_full"
        self._newcomers += 1
        who = self._newcomers
        outcome = self.room.apply(Join(who, "T", wanted, f"token {who}"))
        if refusal is not None:
            self._refused(outcome, refusal)
            return None
        self.keys[who] = self.room.nick(who) if wanted is None else str(KEYS[wanted])
        self.silent.append(who)
        if len(self.keys) > PRESENCE_LIMIT:
            self.announced = False
        self._expect(outcome.event, announced=self.announced, kind="join")
        return who

    @rule(who=members)
    def say(self, who: int | None) -> None:
        if who is None or who not in self.keys:
            return
        event = self.room.apply(Say(who, "T", "message", "hi")).event
        self._expect(event, announced=True, kind="message")
        assert event is not None
        assert event.nick == self.room.nick(who)
        self._speaks(who)

    def _speaks(self, who: int) -> None:
        self._forget(who)
        self.speakers.append(who)

    def _forget(self, who: int) -> None:
        for listed in (self.silent, self.speakers):
            if who in listed:
                listed.remove(who)

    @rule(who=members, wanted=names)
    def rename(self, who: int | None, wanted: str) -> None:
        if who is None or who not in self.keys:
            return
        refusal = self._refusal(wanted, who)
        if refusal is None and parse_nick(wanted)[0] == self.room.nick(who):
            refusal = "nick_taken"  # by oneself: nothing would happen
        outcome = self.room.apply(Rename(who, "T", wanted))
        if refusal is not None:
            self._refused(outcome, refusal)
            return
        self._expect(outcome.event, announced=True, kind="rename")
        assert outcome.event is not None
        assert outcome.event.to == self.room.nick(who)
        self.keys[who] = str(KEYS[wanted])
        self._speaks(who)  # who says a new name is heard

    @rule(who=consumes(members))
    def leave(self, who: int | None) -> None:
        if who is None or who not in self.keys:
            return
        outcome = self.room.apply(Leave(who, "T", CloseReason.QUIT))
        self._expect(outcome.event, announced=self.announced, kind="leave")
        self._gone(who)

    def _gone(self, who: int) -> None:
        del self.keys[who]
        self._forget(who)
        if len(self.keys) * 2 < PRESENCE_LIMIT:
            self.announced = True

    @rule(target=members, old=members, spelled=st.booleans())
    def come_back(self, old: int | None, spelled: bool) -> object:
        """With the token: also to a full room, also under a guest's name."""
        if old is None or old not in self.keys:
            return None
        nick, key = self.room.nick(old), self.keys[old]
        self._newcomers += 1
        who = self._newcomers
        wanted = nick.upper() if spelled else None
        outcome = self.room.apply(Join(who, "T", wanted, f"token {who}", self.room.token(old)))
        assert outcome.refused is None
        assert [gone.who for gone in outcome.removed] == [old]
        self._expect(outcome.removed[0].event, announced=self.announced, kind="leave")
        self._gone(old)
        self.keys[who] = key
        self.silent.append(who)
        if len(self.keys) > PRESENCE_LIMIT:
            self.announced = False
        self._expect(outcome.event, announced=self.announced, kind="join")
        assert self.room.nick(who) == nick
        return who

    @rule(who=members, old=members)
    def take_over(self, who: int | None, old: int | None) -> None:
        """A silent guest's late hello has the token of another member."""
        if None in (who, old) or who == old or who not in self.keys or old not in self.keys:
            return
        assert who is not None
        assert old is not None
        nick, key = self.room.nick(old), self.keys[old]
        outcome = self.room.apply(Rename(who, "T", None, self.room.token(old)))
        assert [gone.who for gone in outcome.removed] == [old]
        self._expect(outcome.removed[0].event, announced=self.announced, kind="leave")
        self._gone(old)
        self._expect(outcome.event, announced=True, kind="rename")
        self.keys[who] = key
        assert self.room.nick(who) == nick
        self._speaks(who)

    @rule(who=members, wanted=st.sampled_from(["mallory", "bob"]))
    def a_claim_does_not_entitle_to_another_name(self, who: int | None, wanted: str) -> None:
        """Only to the name that the token's holder has: nobody is thrown out for another."""
        if who is None or who not in self.keys or self.keys[who] == wanted:
            return
        self._newcomers += 1
        newcomer = self._newcomers
        join = Join(newcomer, "T", wanted, f"token {newcomer}", self.room.token(who))
        outcome = self.room.apply(join)
        assert outcome.removed == ()
        if outcome.refused is None:
            self.keys[newcomer] = wanted
            if len(self.keys) > PRESENCE_LIMIT:
                self.announced = False
            self._expect(outcome.event, announced=self.announced, kind="join")
            announced = self.announced
            event = self.room.apply(Leave(newcomer, "T", CloseReason.QUIT)).event
            self._expect(event, announced=announced, kind="leave")
            self._gone(newcomer)

    @invariant()
    def everybody_is_there_once(self) -> None:
        assert len(self.room) == len(self.keys)
        assert self.room.seq == self.seq
        assert self.room.announced is self.announced
        in_order = [self.room.nick(who) for who in sorted(self.keys, key=self.keys.__getitem__)]
        assert list(self.room.nicks(0, 100)) == in_order
        assert list(self.room.nicks(2, 3)) == in_order[2:5]
        latest = [self.room.nick(who) for who in reversed(self.speakers)]
        assert self.room.latest_speakers(100)[: len(latest)] == latest
        assert set(self.room.latest_speakers(100)) == set(in_order)
        assert self.room.latest_speakers(2) == self.room.latest_speakers(100)[:2]


RoomMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestRoom = RoomMachine.TestCase


def _room(*, max_members: int = 10, presence_limit: int = 100, last_seq: int = 0) -> Room:
    return Room("lobby", max_members=max_members, presence_limit=presence_limit, last_seq=last_seq)


def test_guests_get_names_that_nobody_has_had() -> None:
    room = _room()
    room.apply(Join(1, "T", None, "a"))
    assert room.nick(1) == "guest1"
    room.apply(Leave(1, "T", CloseReason.QUIT))
    room.apply(Join(2, "T", None, "b"))
    assert room.nick(2) == "guest2"


def test_the_owner_of_a_reserved_name_gets_it_back() -> None:
    room = _room()
    refused = room.apply(Join(1, "T", "guest1", "a")).refused
    assert refused is not None
    assert refused.code == "nick_invalid"
    room.apply(Join(2, "T", None, "b"))
    assert room.apply(Join(3, "T", "guest1", "c", "b")).removed[0].who == 2
    assert room.nick(3) == "guest1"


def test_numbers_go_on_where_the_log_ended() -> None:
    event = _room(last_seq=41).apply(Join(1, "T", "alice", "a")).event
    assert event is not None
    assert event.seq == 42


def test_a_token_ends_with_its_member() -> None:
    room = _room()
    room.apply(Join(1, "T", "alice", "a"))
    room.apply(Leave(1, "T", CloseReason.LOST))
    assert room.apply(Join(2, "T", None, "b", "a")).removed == ()
    assert room.nick(2) == "guest1"


def test_who_comes_back_needs_no_place_in_a_full_room() -> None:
    room = _room(max_members=1)
    room.apply(Join(1, "T", "alice", "a"))
    assert room.apply(Join(2, "T", "alice", "b", "a")).removed[0].who == 1
    refused = room.apply(Join(3, "T", "bob", "c", "a")).refused  # that token is gone
    assert refused is not None
    assert refused.code == "room_full"


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 100])
def test_presence_goes_above_the_limit_and_comes_back_below_half(limit: int) -> None:
    room = _room(max_members=1000, presence_limit=limit)
    for count in range(1, limit + 4):
        event = room.apply(Join(count, "T", None, str(count))).event
        assert (event is not None) == room.announced == (count <= limit)
    for count in range(limit + 3, 0, -1):
        room.apply(Leave(count, "T", CloseReason.QUIT))
        assert room.announced == ((count - 1) * 2 < limit)


def test_nobodys_leave_is_announced_when_the_room_closes() -> None:
    room = _room()
    room.apply(Join(1, "T", "alice", "a"))
    room.apply(Close("T"))
    assert room.apply(Leave(1, "T", CloseReason.SHUTDOWN)).event is None
    assert room.seq == 1


def test_nor_is_it_said_that_they_are_announced_again() -> None:
    room = _room(presence_limit=2)
    for who in range(3):
        room.apply(Join(who, "T", None, str(who)))
    room.apply(Close("T"))
    for who in range(3):
        room.apply(Leave(who, "T", CloseReason.SHUTDOWN))
        assert not room.announced


@pytest.mark.parametrize("command", [Say(7, "T", "message", "x"), Rename(7, "T", "x")])
def test_who_is_not_here_cannot_do_anything(command: Command) -> None:
    room = _room()
    with pytest.raises(KeyError):
        room.apply(command)
    assert room.seq == 0
