"""What a client asks for depends on its bytes, never on how they were cut, and nothing that it says
makes the reader fail."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.event import CloseReason
from chatroom.protocol.reader import RequestReader
from chatroom.protocol.requests import (
    BadHello,
    Draft,
    Ending,
    Hello,
    PlainHello,
    Refusal,
    Request,
    is_query,
)
from chatroom.protocol.text import TextRules
from chatroom.settings import MAX_EVENT_BYTES
from tests.protocol.chunking import cut, places
from tests.protocol.fuzz import fuzzed_line

RULES = TextRules(1024, MAX_EVENT_BYTES)


def _read(chunks: list[bytes]) -> list[Draft]:
    """What the chunks ask for, up to the end of the connection."""
    reader = RequestReader(RULES)
    drafts: list[Draft] = []
    for chunk in chunks:
        for group in reader.feed(chunk):
            assert group
            assert not any(is_query(draft) for draft in group[:-1])
            drafts += group
            if type(group[-1]) is Ending:
                return drafts
    return drafts


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


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_make_it_fail(data: bytes, json: bool) -> None:
    prefix = b"/json {}\n" if json else b""
    for draft in _read([prefix + data + b"\n"]):
        if type(draft) is Request and draft.kind in ("message", "action"):
            assert 1 <= len(draft.text.encode()) <= 1024


@pytest.mark.parametrize(
    ("first", "drafts"),
    [
        (b"hi", [PlainHello(), Request("message", "hi")]),
        (b"/nick bob", [PlainHello("bob")]),
        (b"/NICK  bob ", [PlainHello("bob")]),
        (b"/nick", [PlainHello(), Refusal("bad_request", "say /nick NAME")]),
        (b"/quit", [Request("quit")]),
        (b"/me waves", [PlainHello(), Request("action", "waves")]),
        (b"/json", [Hello()]),
        (b'/json {"nick":"bob","after":3}', [Hello("bob", after=3)]),
        (
            b"/jsonx",
            [PlainHello(), Refusal("unknown_kind", "unknown command /jsonx, /help lists them")],
        ),
    ],
)
def test_the_first_line_says_how_one_enters(first: bytes, drafts: list[Draft]) -> None:
    assert _read([first + b"\n"]) == drafts


def test_a_hello_that_cannot_be_read_is_a_draft_too() -> None:
    (draft,) = _read([b"/json {\n"])
    assert type(draft) is BadHello
    assert draft.code == "bad_json"


def test_who_entered_in_silence_may_still_go_over_to_json() -> None:
    reader = RequestReader(RULES)
    assert not reader.begun
    assert reader.enter() == [PlainHello()]
    assert reader.begun
    assert reader.feed(b"/json {}\n")[0][0] == Hello()
    assert reader.feed(b'{"kind":"ping"}\n') == [[Request("ping")]]


def test_half_a_line_is_no_beginning() -> None:
    reader = RequestReader(RULES)
    assert reader.feed(b"\n\r\nhel") == []
    assert not reader.begun
    assert reader.feed(b"lo\n") == [[PlainHello(), Request("message", "hello")]]
    assert reader.begun


def test_what_follows_a_query_is_a_group_of_its_own() -> None:
    reader = RequestReader(RULES)
    groups = reader.feed(b"hi\n/who\nthere\n/history 3\n/ping\n")
    assert [[getattr(draft, "kind", "enter") for draft in group] for group in groups] == [
        ["enter", "message", "who"],
        ["message", "history"],
        ["ping"],
    ]


def test_the_lines_before_a_line_without_end_count() -> None:
    drafts = _read([b"hi\n" + b"x" * 8193])
    assert drafts[:2] == [PlainHello(), Request("message", "hi")]
    assert drafts[2:] == [
        Ending(CloseReason.PROTOCOL_ERROR, "a line has more than 8192 bytes and no end")
    ]
    assert _read([b"x" * 8192])[1:] == []


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b"/history", Request("history", limit=20)),
        (b"/history 7", Request("history", limit=7)),
        (b"/history 999999999999999999", Request("history", limit=1000)),
        (b"/WHO", Request("who")),
        (b"/me  waves ", Request("action", "waves")),
        (b"//", Request("message", "/")),
        (b"///x", Request("message", "//x")),
        (b" /who", Request("message", " /who")),
        (b"\xff", Request("message", "\ufffd")),
    ],
)
def test_plain_lines(line: bytes, request_: Request) -> None:
    assert _read([b"/nick x\n" + line + b"\n"])[1:] == [request_]


@pytest.mark.parametrize("line", [b"/history -1", b"/history \xd9\xa3", b"/history 1 2", b"/nick "])
def test_plain_commands_with_bad_arguments(line: bytes) -> None:
    (refusal,) = _read([b"/nick x\n" + line + b"\n"])[1:]
    assert type(refusal) is Refusal
    assert refusal.code == "bad_request"


def test_a_text_in_json_that_is_not_utf8_becomes_replacement_characters() -> None:
    (request,) = _read([b'/json {}\n{"kind":"message","text":"a\xffb\xc3(","id":"\xfe"}\n'])[1:]
    assert request == Request("message", "a\ufffdb\ufffd(", id="\ufffd")


def test_keys_that_are_not_known_are_passed_over() -> None:
    (request,) = _read([b'/json {}\n{"v":[1,{"x":null}],"kind":"ping","kind2":1}\n'])[1:]
    assert request == Request("ping")
