"""What goes out: whole frames of whole lines, whatever their size, and where each ends."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from chatroom.event import CloseReason, Event, encode_event
from chatroom.protocol import answers
from chatroom.protocol.jsonlines.render import JsonLines
from chatroom.protocol.websocket.frames import close_frame, end_of_frame, frame
from chatroom.protocol.websocket.render import CLOSE_CODES, SocketLines
from chatroom.settings import FRAME_BYTES
from tests.protocol.websocket.framing import CLOSE, TEXT, Got, read_frames

FORM = SocketLines()

sizes = st.sampled_from([0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 65537, 200_000])


@given(st.lists(sizes, min_size=1, max_size=5))
def test_any_client_reads_the_lines_of_a_batch(lengths: list[int]) -> None:
    records = b"".join(b"x" * length + b"\n" for length in lengths)
    client = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=None)
    client.receive_data(FORM.frame(records))
    frames = client.events_received()
    assert all(type(got) is Frame for got in frames)
    read = b"".join(bytes(got.data) + b"\n" for got in frames if type(got) is Frame)
    assert read == records
    assert client.parser_exc is None


def test_a_great_batch_is_several_frames() -> None:
    got = read_frames(FORM.frame((b"x" * 200 + b"\n") * 3000))
    assert [len(line) for one in got for line in one.lines] == [200] * 3000
    assert len(got) == 1 + 3000 * 201 // FRAME_BYTES
    assert all(len(one.payload) < FRAME_BYTES for one in got)


def test_a_batch_of_a_common_size_is_one_frame() -> None:
    assert FORM.frame(b'{"a":1}\n{"b":2}\n') == b'\x81\x0f{"a":1}\n{"b":2}'


@given(st.lists(sizes, min_size=1, max_size=4), st.data())
def test_the_boundary_is_where_the_begun_frame_ends(
    lengths: list[int], data: st.DataObject
) -> None:
    pieces = [frame(TEXT, b"x" * length) for length in lengths]
    ends = [sum(map(len, pieces[: index + 1])) for index in range(len(pieces))]
    offset = data.draw(st.integers(min_value=0, max_value=ends[-1]))
    expected = 0 if offset == 0 else min(end for end in ends if end >= offset)
    assert FORM.boundary(b"".join(pieces), offset) == expected


@given(st.binary(max_size=300), st.integers(min_value=0, max_value=300))
def test_the_boundary_of_what_is_no_frame_is_within_it(sent: bytes, offset: int) -> None:
    # The handshake's answer is no frame, and is the first thing that is sent.
    offset = min(offset, len(sent))
    assert offset <= end_of_frame(sent + b"\0" * 12, offset) <= len(sent) + 12


def test_events_and_answers_are_those_of_json_lines() -> None:
    event = Event(7, "T", "message", "bob", "hi")
    join = Event(8, "T", "join", "bob")
    for presence in (True, False):
        form, lines = SocketLines(presence), JsonLines(presence)
        assert form.event(event, encode_event(event)) == lines.event(event, encode_event(event))
        assert form.event(join, encode_event(join)) == lines.event(join, encode_event(join))
        gone = answers.Presence(False, 101)
        assert form.answer(gone) == lines.answer(gone)
        assert form != lines
    assert SocketLines() == SocketLines()
    assert len({SocketLines(True), SocketLines(True), SocketLines(False), JsonLines(True)}) == 3


@pytest.mark.parametrize("reason", list(CloseReason))
def test_a_bye_is_the_last_line_and_then_the_close_frame(reason: CloseReason) -> None:
    bye, close = read_frames(FORM.bye(answers.Bye(reason, "so it is")))
    assert bye.payload == JsonLines().bye(answers.Bye(reason, "so it is")).rstrip(b"\n")
    assert (close.opcode, close.code, close.reason) == (CLOSE, CLOSE_CODES[reason], reason)


def test_the_codes_by_reason() -> None:
    assert {reason.value: code for reason, code in CLOSE_CODES.items()} == {
        "quit": 1000,
        "lost": 1013,
        "slow_reader": 4408,
        "idle": 4408,
        "flood": 4429,
        "kicked": 1008,
        "replaced": 4409,
        "protocol_error": 1008,
        "shutdown": 1001,
    }


def test_a_full_room_says_to_try_again_later_and_json_lines_know_no_codes() -> None:
    full = answers.Bye(CloseReason.KICKED, "not let in: room_full", "room_full")
    bye, close = read_frames(FORM.bye(full))
    assert close.code == 1013
    assert json.loads(bye.payload) == {
        "kind": "bye",
        "reason": "kicked",
        "text": "not let in: room_full",
    }


def test_a_long_reason_is_cut_between_characters() -> None:
    (close,) = read_frames(close_frame(1002, "\u20ac" * 100))
    assert close == Got(CLOSE, (1002).to_bytes(2, "big") + ("\u20ac" * 41).encode())
    assert read_frames(close_frame(None)) == [Got(CLOSE, b"")]
