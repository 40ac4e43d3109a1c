"""How one enters, how much of one client a turn takes, and who is asked whether it is there."""

from __future__ import annotations

import pytest

from chatroom.event import EVENT_KINDS
from chatroom.protocol.requests import (
    BadHello,
    Draft,
    Hello,
    Refusal,
    Reply,
    Request,
    Speaks,
    weight_of,
)
from chatroom.protocol.websocket.messages import Incoming, MessageReader
from chatroom.protocol.websocket.render import SocketLines
from chatroom.settings import ENTER_SECONDS, GROUP_WEIGHT
from tests.protocol.websocket.framing import PING, PONG, Got, masked, says
from tests.protocol.websocket.talking import SocketTalk, socket_talk

GUEST = Hello(strict=False)
SPEAKS = Speaks(SocketLines())


@pytest.mark.parametrize(
    ("first", "drafts"),
    [
        (says("{}"), [SPEAKS, Hello()]),
        (says("/json"), [SPEAKS, Hello()]),
        (says('/json {"nick":"bob"}'), [SPEAKS, Hello("bob")]),
        (says('/JSON {"nick":"bob"}'), [SPEAKS, Hello("bob")]),
        (says('{"nick":"bob","after":3}'), [SPEAKS, Hello("bob", after=3)]),
        (says("", '{"nick":"bob"}', ""), [SPEAKS, Hello("bob")]),
        (says('{"nick":"bob"}', '{"kind":"ping"}'), [SPEAKS, Hello("bob"), Request("ping")]),
        (says('{"nick":"bob"}\r', '{"kind":"ping"}\r'), [SPEAKS, Hello("bob"), Request("ping")]),
        (says('{"presence":false}'), [Speaks(SocketLines(presence=False)), Hello()]),
        (says('{"echo":true}'), [Speaks(SocketLines(), EVENT_KINDS), Hello()]),
        (says('{"kind":"ping"}'), [GUEST, Request("ping")]),
        (says('{"kind":"message"}'), [GUEST, Refusal("text_empty", "a message needs a text")]),
    ],
)
def test_the_first_line_says_how_one_enters(first: bytes, drafts: list[Draft]) -> None:
    asked = socket_talk(first).asked
    for draft, expected in zip(asked, drafts, strict=True):
        if type(expected) is Refusal:
            assert type(draft) is Refusal
            assert draft.code == expected.code
        else:
            assert draft == expected


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ("hello", "bad_json"),
        ("[]", "bad_json"),
        ("/json {", "bad_json"),
        ('{"nick":7}', "bad_request"),
        ("[" * 8000, "bad_json"),
    ],
)
def test_a_hello_that_cannot_be_read_is_a_bad_one(first: str, code: str) -> None:
    speaks, bad = socket_talk(says(first)).asked
    assert speaks == SPEAKS
    assert type(bad) is BadHello
    assert bad.code == code


def test_who_says_nothing_is_soon_a_guest_and_may_say_hello_later() -> None:
    talk = SocketTalk()
    assert talk.session.wait is not None
    assert talk.session.wait.seconds == ENTER_SECONDS
    talk.expire()
    assert talk.asked == [GUEST]
    talk.feed(says('{"nick":"bob"}'), says('{"kind":"ping"}'))
    assert talk.asked == [GUEST, SPEAKS, Hello("bob"), Request("ping")]


def test_a_guest_whose_first_line_is_no_hello_stays_one() -> None:
    for line, kind in (('{"kind":"ping"}', Request), ("what is this", Refusal)):
        talk = SocketTalk()
        talk.expire()
        talk.feed(says(line))
        assert talk.asked[0] == GUEST
        assert type(talk.asked[1]) is kind
        talk.feed(says('{"nick":"bob"}'))
        assert type(talk.asked[2]) is Refusal


def test_a_hello_that_drips_is_not_waited_for_longer() -> None:
    talk = SocketTalk()
    silence = talk.session.wait
    data = says('{"nick":"bob"}')
    for byte in data[:-1]:
        talk.feed(bytes([byte]))
        assert talk.session.wait is silence
    talk.expire()
    talk.feed(data[-1:])
    assert talk.asked == [GUEST, SPEAKS, Hello("bob")]


# What a turn takes


def test_what_follows_a_query_is_a_group_of_its_own() -> None:
    lines = [f'{{"kind":"{kind}"}}' for kind in ("ping", "who", "ping", "history", "ping")]
    groups = socket_talk(says("{}"), says(*lines)).groups[1:]
    assert [[draft.kind for draft in group if type(draft) is Request] for group in groups] == [
        ["ping", "who"],
        ["ping", "history"],
        ["ping"],
    ]


@pytest.mark.parametrize(
    "frame",
    [
        says('{"kind":"ping"}'),
        says(*['{"kind":"ping"}'] * 4000),
        masked(PING, b"x"),
        masked(PONG),
        masked(1),
        says("", "", ""),
        masked(1, final=False) + masked(0, final=True),
    ],
)
def test_a_turn_takes_a_bounded_part_of_a_flood(frame: bytes) -> None:
    flood = frame * (60_000 // len(frame) + 1)
    talk = SocketTalk()
    talk.feed(says("{}"))
    talk.session.feed(flood)
    turns = 0
    while talk.session.pending:
        group = talk.session.drafts()
        assert sum(map(weight_of, group)) <= GROUP_WEIGHT
        turns += 1
    assert turns >= flood.count(frame) // GROUP_WEIGHT


def test_no_more_is_read_at_a_time_than_a_turn_can_take(monkeypatch: pytest.MonkeyPatch) -> None:
    read_bytes = 0
    feed = MessageReader.feed

    def counted(reader: MessageReader, chunk: bytes) -> list[Incoming]:
        nonlocal read_bytes
        read_bytes += len(chunk)
        return feed(reader, chunk)

    talk = SocketTalk()
    talk.feed(says("{}"))
    monkeypatch.setattr(MessageReader, "feed", counted)
    flood = masked(PING) * 10_000
    talk.session.feed(flood)
    for turns in range(1, 5):
        assert talk.session.drafts()
        assert read_bytes <= 2 * turns * GROUP_WEIGHT * len(masked(PING)) + 4096


def test_the_answers_of_a_turn_to_pings_are_one_send() -> None:
    talk = SocketTalk()
    talk.feed(says("{}"), masked(PING, b"x") * 600)
    replies = [draft for draft in talk.drafts if type(draft) is Reply]
    assert len(replies) == 3
    assert talk.sent == [Got(PONG, b"x")] * 600


def test_who_has_entered_may_be_silent() -> None:
    talk = socket_talk(says("{}"))
    assert talk.session.wait is None
