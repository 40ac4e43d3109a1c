"""What may be said, and what becomes of it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.event import Event, encode_event
from chatroom.room.refused import Refused
from chatroom.room.text import UNSAFE, TextRules, make_safe
from chatroom.settings import MAX_EVENT_BYTES

RULES = TextRules(1024, MAX_EVENT_BYTES)

#: The protocol's words: C0, DEL and C1 other than TAB, bidirectional overrides and isolates.
FORBIDDEN = [
    *(chr(code) for code in range(0x20) if code != 9),
    "\x7f",
    *(chr(code) for code in range(0x80, 0xA0)),
    *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
]


@pytest.mark.parametrize("character", FORBIDDEN, ids=ascii)
def test_each_unsafe_character_is_replaced(character: str) -> None:
    assert make_safe(character) == "\ufffd"
    assert make_safe(f"a{character}b\t") == "a\ufffdb\t"


def test_nothing_else_is_replaced() -> None:
    """Every other character passes, also those that Python calls unprintable."""
    others = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    safe = make_safe(others)
    replaced = {before for before, after in zip(others, safe, strict=True) if before != after}
    assert replaced == set(FORBIDDEN) == {chr(code) for code in UNSAFE}


@given(st.text())
def test_what_is_safe_stays_as_it_is(text: str) -> None:
    safe = make_safe(text)
    assert make_safe(safe) is safe or make_safe(safe) == safe
    assert not set(safe) & set(FORBIDDEN)
    assert all(unicodedata.category(character) != "Cc" or character == "\t" for character in safe)


def _is_taken(text: str, rules: TextRules = RULES) -> bool:
    try:
        rules.check(text)
    except Refused as refused:
        return refused.code != "text_too_long"
    return True


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("x", True),
        (" ", True),
        ("x" * 1024, True),
        ("x" * 1025, False),
        ("\u00e9" * 512, True),
        ("\u00e9" * 512 + "x", False),
        ("\U0001f600" * 256, True),
        ("\U0001f600" * 256 + "x", False),
        ("\x00" * 341, True),  # counted as the U+FFFD that they become: three bytes each
        ("\x00" * 342, False),
        ('"' * 1024, False),  # 2,048 bytes as JSON
        ('"' * 500, True),
    ],
)
def test_lengths_are_bytes_of_what_the_room_takes(text: str, taken: bool) -> None:
    assert _is_taken(text) is taken


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        RULES.check("")
    assert caught.value.code == "text_empty"


@pytest.mark.parametrize("limit", [1, 10, 1024, 4096])
def test_the_limit_is_the_operators(limit: int) -> None:
    rules = TextRules(limit, 1 << 16)
    assert _is_taken("x" * limit, rules)
    assert not _is_taken("x" * (limit + 1), rules)


def _largest_event_bytes(text: str) -> int:
    """An event that says the text, with the longest of everything else."""
    time = "2026-11-22T13:17:42.123456Z"
    return len(encode_event(Event(2**63, time, "message", "\U00020000" * 32, text)))


@given(
    st.lists(st.sampled_from(['"', "\\", "\t", "x", "\u00e9", "\u4e2d"]), max_size=1024).map(
        "".join
    ),
    st.integers(min_value=300, max_value=1500),
)
def test_what_is_taken_fits_a_datagram_and_what_fits_is_taken(text: str, room: int) -> None:
    rules = TextRules(1024, room)
    if not text or len(text.encode()) > 1024:
        return
    size = _largest_event_bytes(text)
    if _is_taken(text, rules):
        assert size <= room
    else:
        assert size + 1 > room  # a 64-bit number may have one digit more than 2**63


def test_the_same_text_is_taken_whoever_says_it() -> None:
    """The bound counts the longest nick and number, so neither decides."""
    edge = max(n for n in range(1025) if _is_taken('"' * n + "x" * (1024 - n)))
    assert _largest_event_bytes('"' * edge + "x" * (1024 - edge)) <= MAX_EVENT_BYTES


@pytest.mark.parametrize(("limit", "longest"), [(10, 10), (1024, 1024), (4096, 1200)])
def test_the_longest_text_is_what_the_limit_and_a_datagram_allow(limit: int, longest: int) -> None:
    rules = TextRules(limit, MAX_EVENT_BYTES)
    assert rules.longest_text_bytes == longest
    assert _is_taken("x" * longest, rules)
    assert not _is_taken("x" * (longest + 1), rules)
