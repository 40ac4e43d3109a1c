"""Every member sees one order without a gap, whoever joins, leaves, changes format, stalls, echoes
or not: what the fan-out makes of a batch, held against a naive rendering for each member."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from chatroom.event import CloseReason
from chatroom.protocol.requests import Draft, Ending, Refusal, Request
from tests.server.paper import PaperRoom, enters, enters_json

PEOPLE = 6
PRESENCE_LIMIT = 4


class Step(NamedTuple):
    """Somebody does something; what it comes to depends on where they are."""

    who: int
    deed: str
    variant: int


steps = st.builds(
    Step,
    st.integers(0, PEOPLE - 1),
    st.sampled_from([*["say"] * 6, "act", "rename", "ping", "refused", "hello", "end", "stick"]),
    st.integers(0, 7),
)
turns = st.lists(st.lists(steps, max_size=12), max_size=12)


@dataclass
class Person:
    """Somebody in the model: what they should have been told, line by line."""

    nick: str = ""
    format: str = ""  # "", plain or json
    presence: bool = True
    echo: bool = False
    ended: bool = False
    slow: bool = False
    told: list[str] = field(default_factory=list)


class NaiveRoom:
    """The words of the protocol, for each member on its own; no batch, no shared bytes."""

    def __init__(self) -> None:
        self.people = [Person() for _ in range(PEOPLE)]
        self.seq = 0
        self.announced = True
        self._guests = 0

    def apply(self, step: Step) -> list[Draft] | None:
        """Do it, and return the drafts that ask the real room for the same; None if it makes no
        sense for somebody who is there, or is not.
        """
        person = self.people[step.who]
        if person.ended or step.deed == "stick":
            return None
        if not person.format:
            return self._enter(person, step.variant)
        return getattr(self, f"_{step.deed}")(person, step.variant)  # type: ignore[no-any-return]

    def is_slow(self, who: int) -> None:
        person = self.people[who]
        if not person.ended:
            person.slow = True
            self._leave(person, "slow_reader")

    def _enter(self, person: Person, variant: int) -> list[Draft]:
        self._guests += 1
        person.nick = f"guest{self._guests}"
        was_announced = self.announced
        count = self._count()
        self.announced = self.announced and count <= PRESENCE_LIMIT
        if self.announced:
            self._event("join", person.nick)
        elif was_announced:
            self._tell_presence(count)
        person.format = "plain" if variant < 3 else "json"
        return self._welcome(person, variant)

    def _welcome(self, person: Person, variant: int) -> list[Draft]:
        drafts = enters()
        if person.format == "json":
            person.presence, person.echo = variant != 3, variant in (3, 4)
            drafts = enters_json(presence=person.presence, echo=person.echo)
        person.told.append(f"welcome {person.nick} {self._count()}")
        if not self.announced and person.presence:
            person.told.append(_presence(person, announced=False, count=self._count()))
        return drafts

    def _hello(self, person: Person, variant: int) -> list[Draft] | None:
        """A late `/json`, of somebody who came in plain."""
        if person.format == "json":
            return None
        person.format = "json"
        return self._welcome(person, variant)

    def _say(self, person: Person, variant: int) -> list[Draft]:
        return self._talk(person, variant, "message", 'says "x"\t')

    def _act(self, person: Person, variant: int) -> list[Draft]:
        return self._talk(person, variant, "action", "wav\u00e9s")

    def _talk(self, person: Person, variant: int, kind: str, text: str) -> list[Draft]:
        text = f"{text}{self.seq}"
        self._event(kind, person.nick, text=text, author=person)
        request_id = str(variant) if variant < 4 else None
        if request_id is not None:
            person.told.append(self._ack(person, request_id))
        return [Request(kind, text, id=request_id)]

    def _rename(self, person: Person, variant: int) -> list[Draft]:
        was, person.nick = person.nick, f"n{self.seq}x{variant}"
        self._event("rename", was, to=person.nick, author=person)
        if person.format == "plain":
            person.told.append(f"-- you are now {person.nick}")
        return [Request("rename", to=person.nick)]

    def _ping(self, person: Person, variant: int) -> list[Draft]:
        person.told.append("-- pong" if person.format == "plain" else '{"kind":"pong"}')
        return [Request("ping")]

    def _refused(self, person: Person, variant: int) -> list[Draft]:
        plain = person.format == "plain"
        person.told.append("-- no (x)" if plain else '{"kind":"error","code":"x","text":"no"}')
        return [Refusal("x", "no")]

    def _end(self, person: Person, variant: int) -> list[Draft]:
        self._leave(person, "quit")
        return [Ending(CloseReason.QUIT, "") if variant < 4 else Request("quit")]

    def _leave(self, person: Person, reason: str) -> None:
        person.ended = True
        text = {"quit": "see you", "slow_reader": "slow"}[reason]
        plain = f"-- bye ({reason}): {text}"
        json_line = _line({"kind": "bye", "reason": reason, "text": text})
        person.told.append(plain if person.format == "plain" else json_line)
        if self.announced:
            self._event("leave", person.nick, reason=reason)
        elif self._count() * 2 < PRESENCE_LIMIT:
            self.announced = True
            self._tell_presence(self._count())

    def _count(self) -> int:
        return sum(bool(person.nick) and not person.ended for person in self.people)

    def _tell_presence(self, count: int) -> None:
        for person in self.people:
            if person.format and not person.ended and person.presence:
                person.told.append(_presence(person, announced=self.announced, count=count))

    def _event(self, kind: str, nick: str, *, author: Person | None = None, **rest: str) -> None:
        self.seq += 1
        for person in self.people:
            if not person.format or person.ended or (person is author and not person.echo):
                continue
            if kind in ("join", "leave", "rename") and not person.presence:
                continue
            event = {"seq": self.seq, "time": "T", "kind": kind, "nick": nick, **rest}
            person.told.append(_plain(event) if person.format == "plain" else _line(event))

    def _ack(self, person: Person, request_id: str) -> str:
        if person.format == "plain":
            return f"-- said (#{self.seq})"
        return _line({"kind": "ack", "id": request_id, "seq": self.seq})


def _line(content: dict[str, object]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _plain(event: dict[str, object]) -> str:
    return {
        "message": "{nick}: {text}",
        "action": "* {nick} {text}",
        "join": "-- {nick} joined",
        "leave": "-- {nick} left ({reason})",
        "rename": "-- {nick} is now {to}",
    }[str(event["kind"])].format(**event)


def _presence(person: Person, *, announced: bool, count: int) -> str:
    if person.format == "json":
        return _line({"kind": "presence", "announced": announced, "member_count": count})
    end = "are announced again" if announced else "are not announced any more"
    return f"-- {count} here: joins and leaves {end}"


def _seen(lines: list[str]) -> list[str]:
    """What somebody was sent, without the clock and without what a welcome has of chance."""
    return [_normal(line) for line in lines]


def _normal(line: str) -> str:
    if line.startswith('{"kind":"welcome"'):
        welcome = json.loads(line)
        return f"welcome {welcome['nick']} {welcome['member_count']}"
    if found := re.match(r"-- welcome to lobby, you are (\S+) \((\d+) here", line):
        return f"welcome {found[1]} {found[2]}"
    return re.sub(r'"time":"[^"]*"', '"time":"T"', line)


@given(turns)
@example(
    [
        [Step(0, "say", 0), Step(1, "say", 7)],
        [Step(0, "hello", 4), Step(1, "say", 0), Step(0, "say", 0), Step(0, "say", 7)],
        [Step(1, "stick", 0), Step(0, "say", 0), Step(1, "say", 0), Step(1, "end", 0)],
    ]
)
def test_everybody_is_told_what_a_naive_room_would_tell(
    conversation: list[list[Step]],
) -> None:
    naive = NaiveRoom()
    real = PaperRoom(PEOPLE, presence_limit=PRESENCE_LIMIT)
    for turn in conversation:
        reads: list[tuple[int, list[Draft]]] = []
        for step in turn:
            if step.deed == "stick":
                real.outboxes[step.who].stuck = True
            elif (drafts := naive.apply(step)) is not None:
                reads.append((step.who, drafts))
        for slow in real.turn(reads):
            naive.is_slow(slow)
    for who, person in enumerate(naive.people):
        seen = _seen(real.lines(who))
        if real.outboxes[who].stuck:
            told = person.told if not person.ended else person.told[:-1]
            if person.ended:
                assert seen.pop() == person.told[-1]
            assert seen == told[: len(seen)]
        else:
            assert seen == person.told
    events = real.journal.recent.after(0, 1 << 20)
    assert [event.seq for event in events] == list(range(1, naive.seq + 1))


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 10))
def test_the_size_of_a_batch_does_not_show(talk: list[int], batch: int) -> None:
    """The same drafts in one batch or in many: everybody is told the same bytes."""
    told = []
    for size in (batch, 1, len(talk) + 1):
        room = PaperRoom(4)
        hellos = [enters(), enters_json(), enters_json(echo=True), enters()]
        room.turn(list(enumerate(hellos)))
        reads: list[tuple[int, list[Draft]]] = [
            (who, [Request("message", f"m{index}", id="i" if index % 3 == 0 else None)])
            for index, who in enumerate(talk)
        ]
        for start in range(0, len(reads), size):
            room.turn(reads[start : start + size])
        told.append([_seen(room.lines(who)) for who in range(4)])
    assert told[0] == told[1] == told[2]
