"""That the server slows a talker down is understood in each of the room's formats."""

from __future__ import annotations

import json

import pytest

from chatroom.protocol.answers import Slowed
from chatroom.protocol.jsonlines.render import JsonLines
from chatroom.protocol.plain.render import PLAIN
from chatroom.swarm.audit.audit import Audit
from chatroom.swarm.audit.follower import Follower
from chatroom.swarm.audit.half_ear import HalfEar
from chatroom.swarm.figures.timeline import Timeline
from chatroom.swarm.wire.dialect import DIALECTS
from chatroom.swarm.wire.payload import Payload

LIMITS = [
    (Slowed(50), "50 messages a second"),
    (Slowed(0.1, "renames"), "one of your renames in 10 seconds"),
    (Slowed(500, "room"), "the room takes 500 messages a second of all"),
]


@pytest.mark.parametrize(("slowed", "limit"), LIMITS)
def test_what_the_server_says_is_understood(slowed: Slowed, limit: str) -> None:
    assert DIALECTS["plain"]().slowed(PLAIN.answer(slowed)) == limit
    for name in ("json", "ws"):
        assert DIALECTS[name]().slowed(JsonLines().answer(slowed)) == limit


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"\xff\n",
        b"bob: you are slowed down to 9 lies a second\n",
        b"* bob -- you are slowed down to 9 lies a second\n",
        b"-- bob joined\n",
        b'{"seq":1,"kind":"message","nick":"bob","text":"slowed"}\n',
        b'{"kind":"slowed"}\n',
        b'{"kind":"slowed","rate":"much"}\n',
    ],
)
def test_nothing_else_is_taken_for_it(record: bytes) -> None:
    assert [dialect().slowed(record) for dialect in DIALECTS.values()] == ["", "", ""]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_talker_that_does_not_listen_hears_it_however_it_is_cut(cut: int) -> None:
    dialect = DIALECTS["json"]()
    audit = Audit(dialect, Payload("4f2a", 60), Timeline())
    ear = HalfEar(Follower("talker 3"), audit)
    talk = json.dumps({"seq": 1, "kind": "message", "text": "slowed " + "x" * 300}).encode()
    stream = talk + b"\n" + JsonLines().answer(Slowed(50)) + talk
    for start in range(0, len(stream), cut):
        ear.hear(0, memoryview(stream)[start : start + cut])
    assert audit.slowed == {"talker 3": "50 messages a second"}
