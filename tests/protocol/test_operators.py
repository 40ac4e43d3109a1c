"""What operators type, and what programs ask for, is the same request."""

from __future__ import annotations

import json

import pytest

from chatroom.protocol.jsonlines.session import parse_request
from chatroom.protocol.plain.session import parse_line
from chatroom.protocol.requests import Credentials, Hello, Refusal, Request
from chatroom.room.text import TextRules

RULES = TextRules(1024, 1430)


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("/topic all about cats", {"kind": "topic", "text": "all about cats"}),
        ("/topic -", {"kind": "topic", "text": ""}),
        ("/kick bob", {"kind": "kick", "nick": "bob"}),
        ("/KICK bob  be nice ", {"kind": "kick", "nick": "bob", "text": "be nice"}),
        ("/ban bob", {"kind": "ban", "mask": "bob"}),
        ("/ban ::/0 10m", {"kind": "ban", "mask": "::/0", "seconds": 600}),
        ("/ban bob 2h no more", {"kind": "ban", "mask": "bob", "seconds": 7200, "text": "no more"}),
        ("/ban bob 2hours is much", {"kind": "ban", "mask": "bob", "text": "2hours is much"}),
        ("/ban bob 0s", {"kind": "ban", "mask": "bob", "text": "0s"}),
        ("/unban account:bob", {"kind": "unban", "mask": "account:bob"}),
        ("/bans", {"kind": "bans"}),
        ("/mute bob", {"kind": "mute", "nick": "bob"}),
        ("/mute bob 1w", {"kind": "mute", "nick": "bob", "seconds": 604_800}),
        ("/unmute bob", {"kind": "unmute", "nick": "bob"}),
        ("/moderate", {"kind": "moderate"}),
        ("/unmoderate", {"kind": "unmoderate"}),
        ("/voice bob", {"kind": "voice", "nick": "bob"}),
        ("/unvoice bob", {"kind": "unvoice", "nick": "bob"}),
        ("/delete #42 not nice", {"kind": "redact", "of": 42, "text": "not nice"}),
        ("/delete 42", {"kind": "redact", "of": 42}),
        ("/delete #42", {"kind": "redact", "of": 42}),
    ],
)
def test_plain_and_json_say_the_same(line: str, request_: dict[str, object]) -> None:
    asked = parse_line(line.encode(), RULES)
    assert isinstance(asked, Request)
    assert asked == parse_request(json.dumps(request_).encode(), RULES)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"kind": "kick"}, "bad_request"),
        ({"kind": "ban", "text": "x"}, "bad_request"),
        ({"kind": "ban", "mask": "x", "seconds": 0}, "bad_request"),
        ({"kind": "ban", "mask": "x", "seconds": 10**9}, "bad_request"),
        ({"kind": "redact"}, "bad_request"),
        ({"kind": "redact", "of": -1}, "bad_request"),
        ({"kind": "kick", "nick": "x", "text": "y" * 201}, "text_too_long"),
        ({"kind": "topic", "text": "y" * 1025}, "text_too_long"),
        ({"kind": "which_topic"}, "unknown_kind"),
    ],
)
def test_what_is_missing_or_too_much_is_refused(request_: dict[str, object], code: str) -> None:
    refusal = parse_request(json.dumps({**request_, "id": "7"}).encode(), RULES)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.id) == (code, "7")


def test_a_reason_is_made_safe_and_its_leave_fits_the_smallest_datagram() -> None:
    asked = parse_line(b"/kick bob \x1b[2J", RULES)
    assert isinstance(asked, Request)
    assert asked.text == "\ufffd[2J"
    smallest = TextRules(4096, 512 - 22)
    longest = next(
        size
        for size in range(200, 0, -1)
        if isinstance(parse_line(b"/kick bob " + b"x" * size, smallest), Request)
    )
    leave = {
        "seq": 10**19,
        "time": "2026-11-22T13:17:42.123456Z",
        "kind": "leave",
        "nick": "\U0001f600" * 32,
        "text": "x" * longest,
        "reason": "kicked",
        "by": "\U0001f600" * 32,
    }
    encoded = json.dumps(leave, ensure_ascii=False, separators=(",", ":")).encode()
    assert 400 < len(encoded) <= 512 - 22


@pytest.mark.parametrize(
    ("line", "credentials"),
    [
        ("/login hush", Credentials("hush")),
        ("/login alice hush", Credentials("alice hush", "alice", "hush")),
        ("/login alice two  words", Credentials("alice two  words", "alice", "two  words")),
    ],
)
def test_log_ins(line: str, credentials: Credentials) -> None:
    assert parse_line(line.encode(), RULES) == Hello(strict=False, credentials=credentials)


def test_a_log_in_needs_something() -> None:
    refusal = parse_line(b"/login", RULES)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "bad_request"
