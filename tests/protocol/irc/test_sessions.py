"""What an IRC client asks for depends on its bytes, never on how they were cut, and nothing that it
says makes a session fail."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.event import CloseReason
from chatroom.protocol.irc.session import IrcWay
from chatroom.protocol.requests import Draft, Ending, Part, Request
from chatroom.settings import GROUP_WEIGHT, REGISTER_SECONDS, RENAME_WEIGHT
from tests.protocol.chunking import cut, places
from tests.protocol.irc.fuzz import fuzzed_line
from tests.protocol.irc.paper import PaperClient

LOGIN = (
    b"CAP REQ :batch labeled-response message-tags\r\nNICK alice\r\nUSER a 0 * :A\r\nCAP END\r\n"
)


def _read(data: bytes, *at: int) -> tuple[list[Draft], bytes]:
    client = PaperClient().feed(*cut(data, list(at)))
    return client.asked, client.records


@given(seed=st.integers(), at=places)
def test_the_same_requests_and_answers_however_the_bytes_are_cut(seed: int, at: list[int]) -> None:
    rng = random.Random(seed)
    data = LOGIN + b"".join(fuzzed_line(rng) for _ in range(rng.randrange(1, 12)))
    assert _read(data, *at) == _read(data)


def test_fuzzed_lines_are_all_answered_in_lines_that_are_not_too_long() -> None:
    rng = random.Random(13)
    data = b"".join(fuzzed_line(rng) for _ in range(10_000))
    client = PaperClient().feed(LOGIN + b"JOIN #lobby\r\n" + data + b"PING the-end\r\n")
    lines = client.records.split(b"\r\n")
    assert lines[-2].endswith(b" the-end")
    for line in lines:
        rest = line.partition(b" ")[2] if line.startswith(b"@") else line
        assert len(rest) <= 510
        assert not set(rest) & {0, 10, 13}
        rest.decode()


@pytest.mark.parametrize(
    "line",
    [b"PONG x", b":chatroom.local", b" ", b"@a=b", b"PASS x", b"NOTICE #lobby"],
)
def test_what_asks_for_nothing_counts_as_well(line: bytes) -> None:
    """Else a flood of it would be read, for as long as it lasts, before anybody else's turn."""
    client = PaperClient().feed(LOGIN)
    before = len(client.drafts)
    client.feed(b"".join(line + b"\r\n" for _ in range(1000)))
    assert len(client.drafts) - before == 1000


def test_lines_that_may_name_somebody_at_length_are_taken_a_few_at_a_time() -> None:
    session = PaperClient().feed(LOGIN).session
    session.feed("NICK \ufdfa\r\n".encode() * GROUP_WEIGHT)
    assert len(session.drafts()) <= GROUP_WEIGHT // RENAME_WEIGHT


@given(data=st.binary(max_size=300))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    client = PaperClient().feed(LOGIN, data, b"\nPING the-end\r\n")
    assert client.records.endswith(b" the-end\r\n") or client.has_ended


@pytest.mark.parametrize(
    ("head", "claimed"),
    [
        (b"CAP LS 302\r\n", True),
        (b"CAP LIST\n", True),
        (b"CAP REQ :x\r\n", True),
        (b"NICK bob\r\n", True),
        (b"NICK :\r\n", True),
        (b"PASS x\r\n", True),
        (b"USER a b c :d\r\n", True),
        (b"USER is a word\n", False),
        (b"CAP off\n", False),
        (b"nick bob\n", False),
        (b"NICKbob\n", False),
        (b"hello\n", False),
        (b"CA", None),
        (b"NICK bob", None),
        (b"NO", False),
    ],
)
def test_what_looks_like_irc(head: bytes, claimed: bool | None) -> None:
    assert IrcWay().claims(head) is claimed


def test_who_does_not_register_is_let_go() -> None:
    client = PaperClient().feed(b"NICK alice\r\n")
    wait = client.session.wait
    assert wait is not None
    assert wait.seconds == REGISTER_SECONDS
    client.feed(b"PING x\r\n")
    assert client.session.wait is wait
    client.session.expire()
    (ending,) = client.session.drafts()
    assert type(ending) is Ending
    assert ending.reason is CloseReason.IDLE


def test_who_has_registered_may_be_silent() -> None:
    assert PaperClient().feed(LOGIN).session.wait is None


def test_a_turn_takes_a_bounded_number_of_lines() -> None:
    client = PaperClient().feed(LOGIN, b"JOIN #lobby\r\n")
    client.session.feed(b"PRIVMSG #lobby :x\r\n" * 1000)
    assert len(client.session.drafts()) <= GROUP_WEIGHT


def test_what_comes_of_a_line_is_asked_for_before_the_next_line() -> None:
    client = PaperClient().feed(LOGIN)
    client.drafts.clear()
    client.feed(b"JOIN #lobby\r\nPART #lobby\r\nNAMES\r\nPRIVMSG #lobby :x\r\n")
    kinds = [d.kind if type(d) is Request else type(d).__name__ for d in client.drafts]
    assert kinds == ["Enter", "history", "Part", "people", "Answered"]
    assert type(client.drafts[2]) is Part
