"""The audit finds what was planted, names it, and finds nothing else, however bytes are cut."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatroom.swarm.audit.audit import Audit
from chatroom.swarm.audit.follower import Follower
from chatroom.swarm.audit.judgement import judge
from chatroom.swarm.audit.transcript import Transcript
from chatroom.swarm.figures.timeline import Timeline
from chatroom.swarm.figures.verdict import Verdict
from chatroom.swarm.wire.dialect import DIALECTS, Dialect
from chatroom.swarm.wire.payload import Mark, Payload

TALKERS = 3
RUN = "4f2a"

Record = tuple[int | None, bytes]  # the talker, None for the room itself; the bytes
Streams = dict[str, tuple[int | None, bytes]]  # by reader; its own number if it talks; its bytes


@dataclass
class Room:
    """What a room said, and who hears it."""

    format: str = "plain"
    messages: int = 40
    seed: int = 1
    payload: Payload = field(default_factory=lambda: Payload(RUN, 60))

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.dialect: Dialect = DIALECTS[self.format]()
        self.sent = dict.fromkeys(range(TALKERS), 0)
        # The roll call first: the audit of the others begins with it.
        self.records: list[Record] = [self.say(0)]
        for _ in range(self.messages):
            quiet = self.random.random() < 0.1
            self.records.append(
                self.notice() if quiet else self.say(self.random.randrange(TALKERS))
            )

    def say(self, talker: int) -> Record:
        number = self.sent[talker]
        self.sent[talker] += 1
        text = self.payload.write(Mark(talker, number, 1_000 + number))
        if self.format == "plain":
            return talker, b"bot%d: %b\n" % (talker, text)
        event = b'{"seq":%d,"kind":"message","nick":"bot%d","text":"%b"}\n'
        return talker, event % (sum(self.sent.values()), talker, text)

    def notice(self) -> Record:
        if self.format == "plain":
            return None, b"-- someone%d joined\n" % self.random.randrange(100)
        return None, b'{"kind":"presence","announced":false,"member_count":101}\n'

    def heard_by(self, talker: int | None) -> list[bytes]:
        return [line for who, line in self.records if talker is None or who != talker]

    def streams(self) -> Streams:
        streams: Streams = {
            name: (None, b"".join(self.heard_by(None))) for name in ("witness", "listener", "other")
        }
        for talker in range(TALKERS):
            streams[f"talker {talker}"] = (talker, b"".join(self.heard_by(talker)))
        return streams


def hold(
    room: Room, streams: Streams, names: Mapping[int, bytes] = MappingProxyType({})
) -> Verdict:
    """Give the audit everyone's stream, cut and interleaved at random; "witness" is one of them.
    `names`: of the talkers, where it is told.
    """
    timeline = Timeline()
    timeline.begin(0)
    audit = Audit(room.dialect, room.payload, timeline)
    for number, nick in names.items():
        audit.transcript.introduce(number, nick)
    rest: list[tuple[Follower, bytes]] = []
    for name, (talker, stream) in streams.items():
        reader = audit.witness
        if name != "witness":
            reader = Follower(name, talker)
            audit.enrol(reader)
            if talker == 0:
                audit.start(reader)
        rest.append((reader, stream))
    at_us = 10_000
    while rest:
        place = room.random.randrange(len(rest))
        reader, stream = rest[place]
        cut = room.random.randint(1, 400)
        reader.hear(at_us, memoryview(stream[:cut]))
        if room.random.random() < 0.1:
            audit.trim()
        at_us += 1
        rest[place] = (reader, stream[cut:])
        if not rest[place][1]:
            del rest[place]
    return judge(audit, room.sent)


def dropped(lines: list[bytes], at: int) -> list[bytes]:
    return lines[:at] + lines[at + 1 :]


def doubled(lines: list[bytes], at: int) -> list[bytes]:
    return lines[: at + 1] + lines[at:]


def swapped(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


def flipped(lines: list[bytes], at: int) -> list[bytes]:
    line = bytearray(lines[at])
    line[len(line) // 2] ^= 1
    return [*lines[:at], bytes(line), *lines[at + 1 :]]


FAULTS: dict[str, Callable[[list[bytes], int], list[bytes]]] = {
    "lost": dropped,
    "doubled": doubled,
    "reordered": swapped,
    "altered": flipped,
}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["plain", "json"]))
def test_a_faultless_room_is_found_faultless_however_its_bytes_are_cut(
    seed: int, kind: str
) -> None:
    room = Room(kind, seed=seed)
    verdict = hold(room, room.streams())
    assert verdict.clean(), verdict
    assert verdict.messages == sum(room.sent.values())
    assert verdict.readers == 3 + TALKERS


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    fault=st.sampled_from(sorted(FAULTS)),
    victim=st.sampled_from(["listener", "witness", "talker 1", "talker 0"]),
    kind=st.sampled_from(["plain", "json"]),
)
def test_one_fault_in_one_stream_is_counted_once_and_its_reader_named(
    seed: int, fault: str, victim: str, kind: str
) -> None:
    room = Room(kind, seed=seed)
    streams = room.streams()
    talker = streams[victim][0]
    lines = room.heard_by(talker)
    # Not the first, which is the roll call, and two messages in a row, to swap.
    places = [
        at
        for at in range(1, len(lines) - 1)
        if room.payload.start in lines[at] and room.payload.start in lines[at + 1]
    ]
    at = room.random.choice(places)
    streams[victim] = (talker, b"".join(FAULTS[fault](lines, at)))
    verdict = hold(room, streams)
    assert getattr(verdict.faults, fault) >= 1, verdict
    if (victim, fault) == ("witness", "reordered"):
        # Two orders, and no way to tell whose is right: who differs from the witness is named.
        assert verdict.faults.total() == verdict.faults.reordered
        return
    assert verdict.faults.total() == 1, verdict
    assert [reader.name for reader in verdict.worst] == [victim]


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_that_everyone_got_counts_for_everyone(fault: str) -> None:
    room = Room(messages=60, seed=7)
    places = range(20, 60)
    at = next(at for at in places if room.records[at][0] == room.records[at + 1][0] == 2)
    stream = b"".join(FAULTS[fault](room.heard_by(None), at))
    verdict = hold(room, dict.fromkeys(("witness", "listener", "other"), (None, stream)))
    assert getattr(verdict.faults, fault) == 3, verdict
    assert verdict.faults.total() == 3, verdict


def in_numbers(change: Callable[[int], int]) -> Callable[[bytes], bytes]:
    """A line with another number."""
    return lambda line: re.sub(rb'"seq":(\d+)', lambda n: b'"seq":%d' % change(int(n[1])), line)


@pytest.mark.parametrize(
    ("alter", "messages"),
    [
        (in_numbers(lambda _: 7), 40),  # all but the first
        (in_numbers(lambda seq: 1000 - seq), 40),
        (in_numbers(lambda seq: 9 if seq == 20 else seq), 1),
        (in_numbers(lambda seq: 2 * seq), 0),  # others came and went meanwhile
    ],
)
def test_numbers_that_do_not_rise_are_found_though_all_have_the_same(
    alter: Callable[[bytes], bytes], messages: int
) -> None:
    room = Room("json", seed=3)
    messages = min(messages, sum(room.sent.values()) - 1)
    stream = b"".join(alter(line) for line in room.heard_by(None))
    verdict = hold(room, dict.fromkeys(("witness", "listener", "other"), (None, stream)))
    assert verdict.faults.reordered == verdict.faults.total() == 3 * messages, verdict


@pytest.mark.parametrize("kind", ["plain", "json"])
def test_a_talker_is_called_by_its_own_name(kind: str) -> None:
    room = Room(kind, seed=3)
    stream = b"".join(line.replace(b"bot2", b"zoe2") for line in room.heard_by(None))
    streams: Streams = dict.fromkeys(("witness", "listener"), (None, stream))
    assert hold(room, streams).clean()
    verdict = hold(room, streams, names={talker: b"bot%d" % talker for talker in range(TALKERS)})
    assert verdict.faults.altered == verdict.faults.total() == 2 * room.sent[2]


def test_the_order_is_that_of_all_since_the_load_began_however_late_that_is_known() -> None:
    room, digests = Room(seed=3), []
    for known_after in (0, 20):
        script = Transcript(room.dialect, room.payload, Timeline())
        for count, line in enumerate(room.heard_by(None)):
            if count == known_after:
                script.digest_from(1_001)
            script.append(line)
        digests.append(script.order_digest)
    assert digests[0] == digests[1] != 0


def test_an_own_message_that_comes_back_is_an_echo() -> None:
    room = Room(seed=3)
    streams = room.streams()
    streams["talker 1"] = (1, b"".join(room.heard_by(None)))
    verdict = hold(room, streams)
    assert verdict.faults.echoed == room.sent[1]
    assert verdict.faults.total() == verdict.faults.echoed


def test_a_stream_that_ends_early_lacks_the_rest() -> None:
    room = Room(seed=5)
    streams = room.streams()
    lines = room.heard_by(None)
    streams["listener"] = (None, b"".join(lines[:10]))
    verdict = hold(room, streams)
    assert verdict.faults.lost == sum(room.payload.start in line for line in lines[10:])
    assert verdict.faults.total() == verdict.faults.lost


def test_what_nobody_heard_is_lost_for_everyone_but_its_talker() -> None:
    room = Room(seed=5)
    streams = room.streams()
    room.say(2)
    verdict = hold(room, streams)
    assert verdict.faults.lost == len(streams) - 1
    assert verdict.faults.total() == verdict.faults.lost


def test_a_private_notice_in_one_stream_is_no_fault() -> None:
    room = Room(seed=11)
    streams = room.streams()
    lines = room.heard_by(None)
    streams["listener"] = (None, b"".join([*lines[:12], b"-- only for you\n", *lines[12:]]))
    assert hold(room, streams).clean()


def test_a_lone_talker_s_private_notice_holds_nobody_up_but_a_message_does() -> None:
    payload = Payload(RUN, 60)
    audit = Audit(DIALECTS["plain"](), payload, Timeline())
    talker, other = Follower("talker 0", 0), Follower("listener")
    for reader in (talker, other):
        audit.enrol(reader)
    audit.start(talker)
    lines = [b"bot: " + payload.write(Mark(0, number, 500)) + b"\n" for number in range(2)]
    audit.receive(audit.witness, 700, lines[0])
    other.hear(700, lines[0])
    audit.receive(talker, 800, b"-- welcome to lobby, you are bot (9 here)\n")
    assert audit.settled()
    other.hear(900, lines[1])
    assert not audit.settled()
    audit.receive(audit.witness, 950, lines[1])
    assert audit.settled()


def test_latencies_count_from_the_due_time_for_each_reader() -> None:
    payload = Payload(RUN, 60)
    timeline = Timeline()
    timeline.begin(1_000)
    audit = Audit(DIALECTS["plain"](), payload, timeline)
    reader = Follower("listener")
    audit.enrol(reader)
    roll_call = b"bot: " + payload.write(Mark(0, 0, 500)) + b"\n"
    message = b"bot: " + payload.write(Mark(0, 1, 2_000)) + b"\n"
    for one in (audit.witness, reader):
        audit.receive(one, 700, roll_call)
    audit.receive(audit.witness, 2_100, message[:20])
    audit.receive(audit.witness, 2_150, message[20:])
    audit.receive(reader, 2_300, message)
    latency = timeline.latency()
    assert (latency.count, latency.value_at(50), latency.max_us) == (2, 150, 300)
