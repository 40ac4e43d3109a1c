"""One line: read, written, cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.protocol.irc.line import (
    LineTooLong,
    NotUtf8,
    compose,
    fitting,
    parse_line,
    pieces,
    tag,
    without_formatting,
)


@pytest.mark.parametrize(
    ("data", "command", "params"),
    [
        (b"ping x", "PING", ["x"]),
        (b"PRIVMSG #a :b c ", "PRIVMSG", ["#a", "b c "]),
        (b"PRIVMSG #a ::b", "PRIVMSG", ["#a", ":b"]),
        (b"PRIVMSG  #a   b ", "PRIVMSG", ["#a", "b"]),
        (b"PRIVMSG #a :", "PRIVMSG", ["#a", ""]),
        (b":me!u@h  NICK x", "NICK", ["x"]),
        (b"@a=b  :me NICK x", "NICK", ["x"]),
        (b"JOIN #a\r,\x00b", "JOIN", ["#a,b"]),
    ],
)
def test_reading(data: bytes, command: str, params: list[str]) -> None:
    line = parse_line(data)
    assert line is not None
    assert (line.command, line.params) == (command, params)


@pytest.mark.parametrize("data", [b"", b"   ", b"@a=b", b":source", b": ", b"@a=b :", b" :"])
def test_there_is_nothing_in_some_lines(data: bytes) -> None:
    assert parse_line(data) is None


def test_tags_are_unescaped() -> None:
    line = parse_line(rb"@a=\:\s\\\r\n\b\;b;c=;label=x;+d=e X")
    assert line is not None
    assert line.tags == {"a": "; \\\r\nb", "b": "", "c": "", "label": "x", "+d": "e"}
    assert line.label == "x"


@given(st.text())
def test_a_tag_is_read_as_it_was_written(value: str) -> None:
    line = parse_line(f"@{tag('a', value)} X".encode("utf-8", "replace"))
    assert line is not None
    assert line.tags == {"a": value.encode("utf-8", "replace").decode()}


def test_limits_are_those_of_the_standard() -> None:
    assert parse_line(b"X " + b"y" * 508) is not None
    assert parse_line(b"@" + b"a" * 4094 + b" X " + b"y" * 508) is not None
    for data in (b"X " + b"y" * 509, b"@" + b"a" * 4095 + b" X"):
        with pytest.raises(LineTooLong):
            parse_line(data)


def test_what_is_not_utf_8_says_what_it_was() -> None:
    with pytest.raises(NotUtf8) as raised:
        parse_line(b"@label=1 privmsg #a \xff")
    assert (raised.value.command, raised.value.label) == ("PRIVMSG", "1")


def test_the_last_parameter_may_be_anything() -> None:
    assert compose("A", "b", "c") == "A b c"
    assert compose("A", "b", "c d") == "A b :c d"
    assert compose("A", "") == "A :"
    assert compose("A", ":)") == "A ::)"


@given(st.text(st.sampled_from("ab \u00e9\u4e2d\U0001f600")), st.integers(4, 40))
def test_pieces_are_the_text_and_each_fits(text: str, limit_bytes: int) -> None:
    cut = pieces(text, limit_bytes)
    assert "".join(cut) == text
    assert all(len(piece.encode()) <= limit_bytes for piece in cut)


@given(st.text(max_size=900))
def test_what_is_quoted_fits_a_line(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert len(fitting(text).encode()) <= 510
    assert text.startswith(fitting(text))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("plain 12", "plain 12"),
        ("\x02b\x02\x1di\x1d\x1fu\x1f\x1es\x1e\x11m\x11\x16r\x16\x0f", "biusmr"),
        ("\x0304,12red\x03 \x0312", "red "),
        ("\x03,5", ",5"),
        ("\x04ff0000,00ff00x\x04", "x"),
    ],
)
def test_formatting_is_taken_out(text: str, plain: str) -> None:
    assert without_formatting(text) == plain
