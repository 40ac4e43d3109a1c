"""What comes in, by RFC 6455: fragments, pings in between, and all that may be wrong."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatroom.protocol.requests import Draft, Ending, Hello, Reply, Request, Speaks
from chatroom.protocol.silent import Silent
from chatroom.protocol.websocket.messages import Broken, MessageReader
from chatroom.protocol.websocket.render import SocketLines
from chatroom.settings import MAX_FRAGMENTS, MAX_LINE_BYTES, MAX_MESSAGE_BYTES
from tests.protocol.chunking import cut, places
from tests.protocol.websocket.framing import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    Got,
    closes,
    in_fragments,
    masked,
    says,
    unmasked,
)
from tests.protocol.websocket.talking import SocketTalk, socket_talk

HELLO = says("{}")
ENTERS: list[Draft] = [Speaks(SocketLines()), Hello()]
MESSAGE = '{"kind":"message","text":"na\u00efve \u20ac \U0001f600"}'
SAID = Request("message", "na\u00efve \u20ac \U0001f600")


def _singly(data: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in data]


@pytest.mark.parametrize("size_bytes", [1, 2, 3, 7, 30, 200])
def test_fragments_are_joined_wherever_characters_are_cut(size_bytes: int) -> None:
    data = HELLO + in_fragments(MESSAGE.encode(), size_bytes)
    assert socket_talk(data).asked == [*ENTERS, SAID]
    assert socket_talk(*_singly(data)).asked == [*ENTERS, SAID]


def test_empty_fragments_count_too() -> None:
    empty = masked(TEXT, final=False) + masked(CONT, final=False)
    assert socket_talk(HELLO + empty + masked(CONT, MESSAGE.encode())).asked == [*ENTERS, SAID]
    assert socket_talk(HELLO + empty + masked(CONT)).asked == ENTERS
    assert socket_talk(HELLO + masked(TEXT)).asked == ENTERS


def test_a_ping_inside_a_fragmented_message_is_answered_at_once() -> None:
    begun = HELLO + masked(TEXT, b'{"kind":', final=False) + masked(PING, b"are you there")
    talk = socket_talk(begun)
    assert talk.sent == [Got(PONG, b"are you there")]
    talk.feed(masked(CONT, b'"ping"}'))
    assert talk.asked == [*ENTERS, Request("ping")]


def test_a_pong_is_passed_over() -> None:
    talk = socket_talk(HELLO + masked(PONG, b"unasked") + says('{"kind":"ping"}'))
    assert talk.asked == [*ENTERS, Request("ping")]
    assert talk.sent == []


@pytest.mark.parametrize("payload", [b"", b"x", bytes(range(125))])
def test_a_pong_has_the_payload_of_its_ping(payload: bytes) -> None:
    assert socket_talk(masked(PING, payload)).sent == [Got(PONG, payload)]


def test_pings_and_requests_keep_their_order() -> None:
    talk = socket_talk(HELLO, masked(PING, b"1") + says('{"kind":"ping"}') + masked(PING, b"2"))
    kinds = [type(draft).__name__ for draft in talk.drafts]
    assert kinds == ["Speaks", "Hello", "Reply", "Request", "Reply"]


# What may not be


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (unmasked(TEXT, b"{}"), 1002),
        (unmasked(PING), 1002),
        (unmasked(CLOSE), 1002),
        *((masked(TEXT, b"{}", bits=bits), 1002) for bits in range(1, 8)),
        (masked(PING, bits=4), 1002),
        *((masked(opcode, b"x"), 1002) for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)),
        (masked(PING, b"x" * 126), 1002),
        (masked(PONG, b"x" * 126), 1002),
        (masked(CLOSE, b"\x03\xe8" + b"x" * 124), 1002),
        (masked(PING, b"x", final=False), 1002),
        (masked(CLOSE, final=False), 1002),
        (masked(CONT, b"x"), 1002),
        (masked(CONT, b"x", final=False), 1002),
        (masked(TEXT, b"x", final=False) + masked(TEXT, b"y"), 1002),
        (masked(TEXT, b"x", final=False) + masked(BINARY, b"y"), 1002),
        (masked(CLOSE, b"\x03"), 1002),
        *(
            (closes(code), 1002)
            for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
        ),
        (closes(1000, b"\xff"), 1007),
        (closes(1000, "\u20ac".encode()[:2]), 1007),
        (masked(BINARY, b"{}"), 1003),
        (masked(BINARY, b"{", final=False), 1003),
        (masked(TEXT, b"\xff"), 1007),
        (masked(TEXT, b"\xc3"), 1007),
        (masked(TEXT, b"\xed\xa0\x80"), 1007),  # a surrogate
        (masked(TEXT, b"\xf4\x90\x80\x80"), 1007),  # above U+10FFFF
        (masked(TEXT, b"\xc0\xaf"), 1007),  # overlong
        (masked(TEXT, "\u20ac".encode()[:1], final=False) + masked(CONT, b"x"), 1007),
        (masked(TEXT, b"\n" * (MAX_MESSAGE_BYTES + 1)), 1009),
        (b"\x81\xff" + (1 << 40).to_bytes(8, "big"), 1009),
        (b"\x81\xff" + (1 << 63).to_bytes(8, "big"), 1009),
        (in_fragments(b"\n" * (MAX_MESSAGE_BYTES + 1), 4000), 1009),
        (in_fragments(b"\n" * (MAX_FRAGMENTS + 1), 1), 1009),
        (masked(TEXT, final=False) + masked(CONT, final=False) * MAX_FRAGMENTS, 1009),
        (says("x" * (MAX_LINE_BYTES + 1)), 1009),
    ],
)
def test_what_breaks_the_protocol_ends_it_with_its_code(wrong: bytes, code: int) -> None:
    before, after = says('{"kind":"ping"}'), says(MESSAGE) + masked(PING)
    for chunks in ([HELLO + before + wrong + after], _singly(HELLO + before + wrong + after)):
        talk = socket_talk(*chunks)
        assert talk.broken_with() == code
        assert talk.asked[:3] == [*ENTERS, Request("ping")]
        assert len(talk.asked) == 5


def test_the_longest_there_may_be() -> None:
    text = "x" * (MAX_LINE_BYTES - len('{"kind":"search","text":""}'))
    longest = f'{{"kind":"search","text":"{text}"}}'
    assert len(longest) == MAX_LINE_BYTES
    assert socket_talk(HELLO + says(longest)).asked == [*ENTERS, Request("search", text)]
    whole = b"\n" * MAX_MESSAGE_BYTES
    for message in (masked(TEXT, whole), in_fragments(whole, MAX_MESSAGE_BYTES // MAX_FRAGMENTS)):
        assert socket_talk(HELLO + message + says('{"kind":"ping"}')).asked[2:] == [Request("ping")]


def test_the_longest_ping_fits_into_the_longest_message() -> None:
    ping = masked(PING, b"p" * 125)
    whole = masked(TEXT, b"\n" * MAX_MESSAGE_BYTES, final=False)
    talk = socket_talk(HELLO + whole + ping + masked(CONT) + says('{"kind":"ping"}'))
    assert talk.sent == [Got(PONG, b"p" * 125)]
    assert talk.asked[2:] == [Request("ping")]


# How it is closed


@pytest.mark.parametrize("code", [None, 1000, 1001, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999])
def test_a_close_is_answered_with_its_code_and_nothing_after_it_is_read(code: int | None) -> None:
    data = HELLO + closes(code, b"so long" if code else b"") + says(MESSAGE) + masked(PING)
    for chunks in ([data], _singly(data)):
        talk = socket_talk(*chunks)
        (close,) = talk.sent
        assert (close.opcode, close.code, close.reason) == (CLOSE, code, "")
        *before, silent, ending = talk.asked
        assert before == ENTERS
        assert silent == Speaks(Silent("websocket"))
        assert type(ending) is Ending
        assert ending.reason == "quit"


def test_a_close_in_the_middle_of_a_message_is_one() -> None:
    talk = socket_talk(HELLO + masked(TEXT, b"{", final=False) + closes(1001))
    assert talk.sent == [Got(CLOSE, b"\x03\xe9")]
    assert talk.has_ended


# However it is cut

_frames = st.one_of(
    st.sampled_from(
        [
            says('{"kind":"ping"}'),
            says(MESSAGE, "", MESSAGE, '{"kind":"who"}', "no json"),
            masked(TEXT, MESSAGE.encode()[:20], final=False),
            masked(CONT, MESSAGE.encode()[20:]),
            masked(CONT, b"", final=False),
            masked(TEXT, b"\xc3"),
            masked(PING, b"x"),
            masked(PONG),
            masked(BINARY, b"x"),
            closes(1000),
            closes(1005),
            unmasked(TEXT, b"{}"),
            says("x" * 9000),
        ]
    ),
    st.binary(max_size=20),
)


def _normal(talk: SocketTalk) -> list[Draft]:
    """Its drafts; which replies were sent in one go, and for how much each counts, depends on
    how the bytes came.
    """
    drafts: list[Draft] = []
    for draft in talk.drafts:
        if type(draft) is not Reply:
            drafts.append(draft)
        elif drafts and type(last := drafts[-1]) is Reply:
            drafts[-1] = Reply(last.data + draft.data)
        elif draft.data:
            drafts.append(Reply(draft.data))
    return drafts


@given(st.lists(_frames, max_size=12), places)
@example([masked(PING, b"x"), masked(TEXT, MESSAGE.encode()[:20], final=False)], [7])
def test_the_same_requests_however_the_bytes_are_cut(frames: list[bytes], at: list[int]) -> None:
    data = b"".join(frames)
    assert _normal(socket_talk(*cut(data, at))) == _normal(socket_talk(data))


@given(st.binary(max_size=400), places)
def test_no_bytes_make_it_fail(data: bytes, at: list[int]) -> None:
    talk = socket_talk(HELLO, *cut(data, at))
    for draft in talk.drafts:
        if type(draft) is Request and draft.kind in ("message", "action"):
            assert 1 <= len(draft.text.encode()) <= 1024


def test_behind_what_is_no_message_nothing_is_read() -> None:
    reader = MessageReader()
    (broken,) = reader.feed(masked(BINARY, b"x") + masked(TEXT, b"{}"))
    assert type(broken) is Broken
    assert reader.feed(masked(TEXT, b"{}")) == []
