"""What plain text shows of what others say."""

from __future__ import annotations

import pytest

from chatroom.event import Event
from chatroom.protocol import answers
from chatroom.protocol.plain.render import PLAIN

TIME = "2026-11-25T00:00:00.000000Z"

HOSTILE = [
    ("a\u2028-- bob left (quit)", "a\ufffd-- bob left (quit)"),
    ("\u200b\U000e0041x\u200f", "\ufffd\ufffdx\ufffd"),
    ("z" + "\u0334" * 300 + "!", "z" + "\u0334" * 4 + "!"),
    ("\t\u00e9\t", "\t\u00e9\t"),
    ("\U0001f469\u200d\U0001f680 na\u00efve", "\U0001f469\u200d\U0001f680 na\u00efve"),
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE, ids=ascii)
@pytest.mark.parametrize(
    ("kind", "line"),
    [("message", "al: {}"), ("action", "* al {}"), ("topic", "-- al set the topic: {}")],
)
def test_nothing_hides_or_climbs(kind: str, line: str, text: str, shown: str) -> None:
    event = Event(1, TIME, kind, "al", text)
    assert PLAIN.event(event, b"").decode() == line.format(shown) + "\n"


@pytest.mark.parametrize(("text", "shown"), HOSTILE, ids=ascii)
def test_nor_in_answers(text: str, shown: str) -> None:
    history = answers.History([Event(1, TIME, "message", "al", text)], more=False)
    assert PLAIN.answer(history).decode().splitlines(keepends=True)[-1].endswith(f" al: {shown}\n")
    assert PLAIN.answer(answers.Topic(text)).decode() == f"-- topic: {shown}\n"
