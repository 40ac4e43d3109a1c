"""Texts say which message they are, and a damaged one is never read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.swarm.wire.payload import SMALLEST_TEXT_BYTES, Mark, Payload, new_run

marks = st.builds(
    Mark,
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 2**52 - 1),
)


@given(mark=marks, size=st.integers(SMALLEST_TEXT_BYTES, 1024))
def test_reading_undoes_writing(mark: Mark, size: int) -> None:
    payload = Payload("0a1b", size)
    text = payload.write(mark)
    assert len(text) == size
    assert payload.read(text) == mark


@given(mark=marks, bit=st.integers(0, 100 * 8 - 1))
def test_a_flipped_bit_is_noticed_and_leaves_traces(mark: Mark, bit: int) -> None:
    payload = Payload("0a1b", 100)
    text = bytearray(payload.write(mark))
    text[bit // 8] ^= 1 << bit % 8
    assert payload.read(bytes(text)) is None
    assert payload.left_traces_in(text)


def test_another_run_s_texts_are_none_of_ours() -> None:
    text = Payload("0a1b", 100).write(Mark(0, 0, 0))
    other = Payload("ffff", 100)
    assert other.read(text) is None
    assert not other.left_traces_in(text)


def test_a_text_too_short_for_its_fields_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 42"):
        Payload("0a1b", SMALLEST_TEXT_BYTES - 1)


@given(mark=marks)
def test_no_text_of_another_run_is_taken_for_one_of_ours(mark: Mark) -> None:
    ours, other = Payload(new_run(), 60), Payload("0000", 60)
    assert ours.run[0] not in "0123456789abcdef"
    assert not ours.left_traces_in(other.write(mark))
