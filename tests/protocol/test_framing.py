"""Lines depend on the bytes, never on how they were cut."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatroom.protocol.framing import LineSplitter, LineTooLong
from tests.protocol.chunking import cut, places

LIMIT_BYTES = 20


def _split(chunks: list[bytes]) -> tuple[list[bytes], bool]:
    """All lines, and whether one was too long: nothing is fed after that."""
    splitter = LineSplitter(LIMIT_BYTES)
    lines: list[bytes] = []
    for chunk in chunks:
        try:
            lines += splitter.feed(chunk)
        except LineTooLong as error:
            return lines + error.lines, True
    return lines, False


def _reference(data: bytes) -> tuple[list[bytes], bool]:
    """A byte at a time, by the words of the protocol."""
    lines, line = [], bytearray()
    for byte in data:
        if byte == ord("\n"):
            lines.append(bytes(line).removesuffix(b"\r"))
            line.clear()
        else:
            line.append(byte)
            if len(line) > LIMIT_BYTES:
                return lines, True
    return lines, False


streams = st.lists(
    st.one_of(
        st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n", b"x" * LIMIT_BYTES, b"x" * 9]),
        st.binary(max_size=LIMIT_BYTES + 2),
    ),
    max_size=20,
).map(b"".join)


@given(streams, places)
@example(b"x" * 20 + b"\n", [5])
@example(b"x" * 20 + b"\r\n", [])
@example(b"x" * 21, [20])
@example(b"a\nb\r\n" + b"x" * 21 + b"\nnever", [1, 2, 3])
def test_the_same_lines_however_the_bytes_are_cut(data: bytes, at: list[int]) -> None:
    assert _split(cut(data, at)) == _reference(data)


@given(streams)
def test_the_same_lines_a_byte_at_a_time(data: bytes) -> None:
    assert _split([bytes([byte]) for byte in data]) == _reference(data)


def test_nothing_is_kept_of_lines_that_are_whole() -> None:
    splitter = LineSplitter(LIMIT_BYTES)
    assert splitter.feed(b"") == []
    assert splitter.feed(b"a\r\nb\n\nc") == [b"a", b"b", b""]
    assert splitter.feed(b"\n") == [b"c"]


def test_a_line_may_have_just_as_many_bytes_as_the_limit() -> None:
    assert LineSplitter(LIMIT_BYTES).feed(b"x" * LIMIT_BYTES + b"\n") == [b"x" * LIMIT_BYTES]
    with pytest.raises(LineTooLong) as caught:
        LineSplitter(LIMIT_BYTES).feed(b"a\n" + b"x" * (LIMIT_BYTES + 1))
    assert caught.value.lines == [b"a"]
