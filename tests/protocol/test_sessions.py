"""What a client asks for depends on its bytes, never on how they were cut, and nothing that it says
makes a session fail."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.event import EVENT_KINDS, CloseReason
from chatroom.protocol.jsonlines.render import JsonLines
from chatroom.protocol.opening import Opening
from chatroom.protocol.plain.render import PLAIN
from chatroom.protocol.requests import (
    NOTHING,
    BadHello,
    Draft,
    Ending,
    Hello,
    Refusal,
    Reply,
    Request,
    Speaks,
    is_query,
    weight_of,
)
from chatroom.protocol.session import Session, Visit
from chatroom.protocol.ways import WAYS
from chatroom.room.text import TextRules
from chatroom.settings import GROUP_WEIGHT, MAX_EVENT_BYTES, RENAME_WEIGHT, WEIGHT_CHARS
from tests.protocol.chunking import cut, places
from tests.protocol.fuzz import fuzzed_line

RULES = TextRules(1024, MAX_EVENT_BYTES)

#: How somebody comes in with plain text, or as a program.
ENTERS: list[Draft] = [Speaks(PLAIN), Hello(strict=False)]
ENTERS_JSON: list[Draft] = [Speaks(JsonLines()), Hello()]


class Talk:
    """A connection's session and those that take over from it, and what they have asked for."""

    def __init__(self) -> None:
        self.session: Session = Opening(Visit(RULES), WAYS)
        self.groups: list[list[Draft]] = []

    @property
    def drafts(self) -> list[Draft]:
        return [draft for group in self.groups for draft in group]

    @property
    def has_ended(self) -> bool:
        return bool(self.groups) and type(self.groups[-1][-1]) is Ending

    def feed(self, *chunks: bytes) -> Talk:
        """As a conversation does, up to the end of the connection."""
        for chunk in chunks:
            if not self.has_ended:
                self.session.feed(chunk)
                self._take()
        return self

    def expire(self) -> Talk:
        """The client lets the session's wait pass."""
        assert self.session.wait is not None
        self.session.expire()
        self._take()
        return self

    def _take(self) -> None:
        while self.session.pending and not self.has_ended:
            group = list(self.session.drafts())
            if group:
                assert not any(is_query(draft) for draft in group[:-1])
                assert sum(map(weight_of, group)) < GROUP_WEIGHT + RENAME_WEIGHT + len(ENTERS)
                self.groups.append(group)
            elif self.session.successor is not None:
                self.session = self.session.successor


def _read(chunks: list[bytes]) -> list[Draft]:
    """What the chunks ask for, up to the end of the connection. Where empty lines are counted
    depends on the cuts.
    """
    return [draft for draft in Talk().feed(*chunks).drafts if draft is not NOTHING]


@given(st.integers(min_value=0), st.booleans(), places)
def test_the_same_requests_however_the_bytes_are_cut(seed: int, json: bool, at: list[int]) -> None:
    rng = random.Random(seed)
    lines = [fuzzed_line(rng, json=json) for _ in range(rng.randrange(1, 12))]
    data = (b"/json {}\n" if json else b"") + b"\n".join(lines) + b"\n"
    assert _read(cut(data, at)) == _read([data])


@pytest.mark.parametrize("json", [False, True])
def test_a_hundred_thousand_fuzzed_lines_ask_the_same_for_every_cut(json: bool) -> None:
    rng = random.Random(20261122)
    lines = [fuzzed_line(rng, json=json) for _ in range(50_000)]
    data = (b"/json {}\n" if json else b"/nick fuzz\n") + b"\n".join(lines) + b"\n"
    whole = _read([data[start : start + 65536] for start in range(0, len(data), 65536)])
    assert len(whole) > 30_000
    at = [rng.randrange(len(data)) for _ in range(20_000)]
    assert _read(cut(data, at)) == whole


@pytest.mark.parametrize("first", [b"/nick bob\n", b"/json {}\n"])
def test_many_empty_lines_count_as_some_that_ask_for_something(first: bytes) -> None:
    talk = Talk().feed(first, b"\n" * 60, b"\r\n" * 3)
    assert NOTHING not in talk.drafts
    for _ in range(3):
        talk.feed(b"\n" * 640)
    assert talk.drafts.count(NOTHING) == (63 + 3 * 640) // 64


@pytest.mark.parametrize("waited", [False, True])
def test_so_do_those_before_anything_is_said(waited: bool) -> None:
    talk = Talk()
    if waited:
        talk.expire()
    talk.feed(*[b"\n"] * 63)
    assert NOTHING not in talk.drafts
    talk.feed(*[b"\r\n"] * 64)
    assert talk.drafts.count(NOTHING) == (63 + 2 * 64) // 64
    talk.feed(b"hello\n")
    assert talk.drafts[-1] == Request("message", "hello")


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_make_it_fail(data: bytes, json: bool) -> None:
    prefix = b"/json {}\n" if json else b""
    for draft in _read([prefix + data + b"\n"]):
        if type(draft) is Request and draft.kind in ("message", "action"):
            assert 1 <= len(draft.text.encode()) <= 1024


@pytest.mark.parametrize(
    ("first", "drafts"),
    [
        (b"hi", [*ENTERS, Request("message", "hi")]),
        (b"/nick bob", [Speaks(PLAIN), Hello("bob", strict=False)]),
        (b"/NICK  bob ", [Speaks(PLAIN), Hello("bob", strict=False)]),
        (b"/nick", [*ENTERS, Refusal("bad_request", "say /nick NAME")]),
        (b"/quit", [Request("quit")]),
        (b"/me waves", [*ENTERS, Request("action", "waves")]),
        (b"/json", ENTERS_JSON),
        (b"/json\r", ENTERS_JSON),
        (b"/JSON {}", ENTERS_JSON),
        (b'/json {"nick":"bob","after":3}', [Speaks(JsonLines()), Hello("bob", after=3)]),
        (b'/json {"presence":false}', [Speaks(JsonLines(presence=False)), Hello()]),
        (b'/json {"echo":true}', [Speaks(JsonLines(), EVENT_KINDS), Hello()]),
        (
            b"/jsonx",
            [*ENTERS, Refusal("unknown_kind", "unknown command /jsonx, /help lists them")],
        ),
    ],
)
def test_the_first_line_says_how_one_enters(first: bytes, drafts: list[Draft]) -> None:
    assert _read([first + b"\n"]) == drafts
    assert _read([bytes([byte]) for byte in first + b"\n"]) == drafts


def test_a_hello_that_cannot_be_read_is_a_draft_too() -> None:
    speaks, bad = _read([b"/json {\n"])
    assert speaks == Speaks(JsonLines())
    assert type(bad) is BadHello
    assert bad.code == "bad_json"


def test_who_entered_in_silence_may_still_go_over_to_json() -> None:
    talk = Talk().expire()
    assert talk.drafts == ENTERS
    assert talk.session.wait is None
    talk.feed(b"/json {}\n", b'{"kind":"ping"}\n')
    assert talk.drafts == [*ENTERS, *ENTERS_JSON, Request("ping")]


def test_what_a_silent_guest_says_later_is_talk() -> None:
    assert Talk().expire().feed(b"hi\n").drafts == [*ENTERS, Request("message", "hi")]
    assert Talk().expire().feed(b"/nick bob\n").drafts == [*ENTERS, Request("rename", to="bob")]


def test_half_a_line_is_no_beginning() -> None:
    talk = Talk().feed(b"\n\r\nhel")
    assert talk.drafts == []
    assert talk.feed(b"lo\n").drafts == [*ENTERS, Request("message", "hello")]
    assert talk.session.wait is None


def test_a_begun_line_is_waited_for_longer_than_silence_and_dripping_gains_nothing() -> None:
    talk = Talk()
    silence = talk.session.wait
    talk.feed(b"\n")
    assert talk.session.wait is silence
    talk.feed(b"h")
    begun = talk.session.wait
    talk.feed(b"e", b"l")
    assert silence is not None
    assert begun is not None
    assert talk.session.wait is begun
    assert begun.seconds > silence.seconds
    talk.expire().feed(b"lo\n")
    assert talk.drafts == [*ENTERS, Request("message", "hello")]


def test_what_follows_a_query_is_a_group_of_its_own() -> None:
    groups = Talk().feed(b"hi\n/who\nthere\n/history 3\n/ping\n").groups
    assert [[getattr(draft, "kind", "enter") for draft in group] for group in groups] == [
        ["enter", "enter", "message", "who"],
        ["message", "history"],
        ["ping"],
    ]


def test_a_turn_takes_a_bounded_number_of_lines() -> None:
    groups = Talk().feed(b"x\n" * 30_000).groups
    assert sum(map(len, groups)) == 30_000 + len(ENTERS)
    assert max(map(len, groups)) <= GROUP_WEIGHT + len(ENTERS)
    renames = Talk().feed(b"x\n", b"/nick \xc3\xa9\n" * 1000).groups
    assert max(map(len, renames)) <= GROUP_WEIGHT / RENAME_WEIGHT + 1


def test_the_lines_before_a_line_without_end_count() -> None:
    drafts = _read([b"hi\n" + b"x" * 8193])
    assert drafts[:3] == [*ENTERS, Request("message", "hi")]
    assert drafts[3:] == [
        Ending(CloseReason.PROTOCOL_ERROR, "a line has more than 8192 bytes and no end")
    ]
    assert _read([b"x" * 8192]) == []


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b"/history", Request("history", limit=20)),
        (b"/history 7", Request("history", limit=7)),
        (b"/history 999999999999999999", Request("history", limit=1000)),
        (b"/search a b*", Request("search", "a b*", limit=20)),
        (b"/WHO", Request("who")),
        (b"/me  waves ", Request("action", "waves")),
        (b"//", Request("message", "/")),
        (b"///x", Request("message", "//x")),
        (b" /who", Request("message", " /who")),
        (b"\xff", Request("message", "\ufffd")),
        (b"GET / HTTP/1.1", Request("message", "GET / HTTP/1.1")),  # it is in the room already
    ],
)
def test_plain_lines(line: bytes, request_: Request) -> None:
    assert _read([b"/nick x\n" + line + b"\n"])[2:] == [request_]


@pytest.mark.parametrize(
    "line", [b"/history -1", b"/history \xd9\xa3", b"/history 1 2", b"/nick ", b"/search "]
)
def test_plain_commands_with_bad_arguments(line: bytes) -> None:
    (refusal,) = _read([b"/nick x\n" + line + b"\n"])[2:]
    assert type(refusal) is Refusal
    assert refusal.code == "bad_request"


def test_a_text_in_json_that_is_not_utf8_becomes_replacement_characters() -> None:
    (request,) = _read([b'/json {}\n{"kind":"message","text":"a\xffb\xc3(","id":"\xfe"}\n'])[2:]
    assert request == Request("message", "a\ufffdb\ufffd(", id="\ufffd")


def test_keys_that_are_not_known_are_passed_over() -> None:
    (request,) = _read([b'/json {}\n{"v":[1,{"x":null}],"kind":"ping","kind2":1}\n'])[2:]
    assert request == Request("ping")


@pytest.mark.parametrize(
    ("first", "reply"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x15\x03\x01\x00\x02\x02\x46"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", b"-- this port speaks"),
        (b"\x05\x01\x00", b"-- this port speaks"),
        (b"\x00\x03\x00\x00\x21\x12\xa4\x42", b"-- this port speaks"),
        (b"hi\x1b[2J\n", b"-- this port speaks"),
    ],
)
def test_who_speaks_something_else_is_told_so_and_never_heard(first: bytes, reply: bytes) -> None:
    data = first + b"\n/nick mallory\nhello\n" * 50
    for drafts in (_read([data]), _read([bytes([byte]) for byte in data])):
        speaks, answer, ending = drafts
        assert type(speaks) is Speaks
        assert type(answer) is Reply
        assert answer.data.startswith(reply)
        assert type(ending) is Ending
        assert ending.reason is CloseReason.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "line",
    [
        b"nick bob", b"NICKbob", b"USER is a word", b"PASS", b"CAP off", b"GET well soon",
        b"tab\there", b"ssh-keys", b"get / http/1.1", "\u00e9t\u00e9".encode(),
    ],
)  # fmt: skip
def test_what_only_looks_like_another_protocol_is_talk(line: bytes) -> None:
    talk: list[Draft] = [*ENTERS, Request("message", line.decode())]
    assert _read([line + b"\n"]) == talk
    assert _read([bytes([byte]) for byte in line + b"\n"]) == talk


def test_another_protocol_that_comes_late_ends_without_a_word_in_the_room() -> None:
    for first in (b"\x16\x03\x01\x02\x00", b"SSH-2.0-x\r\n", b"NICK bob\r\n"):
        *entered, ending = Talk().expire().feed(first + b"/nick mallory\n").drafts
        assert entered == ENTERS
        assert type(ending) is Ending
        assert ending.reason is CloseReason.PROTOCOL_ERROR


def test_what_costs_a_turn_more_weighs_more() -> None:
    long = Request("message", "x" * 3 * WEIGHT_CHARS)
    drafts: list[Draft] = [Request("rename", "x"), long, Request("message", "x"), Hello()]
    assert [weight_of(draft) for draft in drafts] == [RENAME_WEIGHT, 4, 1, 1]
    people = [Request("people"), Request("people", limit=64), Request("people", limit=0)]
    assert [weight_of(draft) for draft in people] == [1001, 65, 1]
