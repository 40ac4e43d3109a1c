"""A bot's end of a WebSocket against `websockets`: however frames are cut, the same records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from chatroom.swarm.wire.websocket import (
    FRAME_BYTES,
    ROOM_BYTES,
    Frames,
    Handshake,
    WebSocketFault,
    frames_of,
)

LF = b"\n"


def opened() -> tuple[ServerProtocol, Handshake]:
    """A server that has been asked, and the handshake that waits for its answer."""
    server = ServerProtocol(subprotocols=[Subprotocol("chatroom.v1")])
    handshake = Handshake("127.0.0.1:9009")
    server.receive_data(handshake.request)
    (request,) = server.events_received()
    assert isinstance(request, Request)
    assert (request.path, request.headers["Host"]) == ("/ws", "127.0.0.1:9009")
    server.send_response(server.accept(request))
    return server, handshake


def sent(server: ServerProtocol) -> bytes:
    return b"".join(server.data_to_send())


class Reader:
    """What a bot does with what it receives: the records, in one buffer that is used again."""

    def __init__(self) -> None:
        self.frames = Frames()
        self.buffer = memoryview(bytearray(1 << 20))
        self.records = b""

    def receive(self, chunk: bytes) -> None:
        chunk = self.frames.kept + chunk
        end = ROOM_BYTES + len(chunk)
        self.buffer[ROOM_BYTES:end] = chunk
        self.buffer[end : end + 16] = b"\x81" * 16  # what an earlier, longer chunk has left there
        self.records += bytes(self.frames.unframe(self.buffer, end))


def frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin=fin).serialize(mask=False)


lines = st.lists(st.binary(min_size=1, max_size=300).map(lambda b: b.replace(LF, b"x")), min_size=1)
sizes = st.sampled_from([0, 124, 125, 126, 127, 65_535, 65_536, 70_000])


@st.composite
def conversations(draw: st.DrawFn) -> tuple[bytes, bytes, list[bytes]]:
    """Frames, the records in them, and what was pinged."""
    stream, records, pings = b"", b"", []
    for _ in range(draw(st.integers(1, 5))):
        message = LF.join(draw(lines)).ljust(draw(sizes), b"y")
        records += message + LF
        cuts = sorted(draw(st.lists(st.integers(0, len(message)), max_size=3)))
        pieces = [message[a:b] for a, b in zip([0, *cuts], [*cuts, len(message)], strict=True)]
        for number, piece in enumerate(pieces):
            if draw(st.booleans()):
                pings.append(draw(st.binary(max_size=125)))
                stream += frame(Opcode.PING, pings[-1]) + frame(Opcode.PONG, b"")
            opcode = Opcode.CONT if number else Opcode.TEXT
            stream += frame(opcode, piece, fin=number == len(pieces) - 1)
    return stream, records, pings


@given(conversations(), st.data())
def test_the_records_are_the_same_however_frames_are_cut(
    conversation: tuple[bytes, bytes, list[bytes]], data: st.DataObject
) -> None:
    stream, records, pings = conversation
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    reader = Reader()
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        if stop > start:
            reader.receive(stream[start:stop])
    assert reader.records == records
    assert reader.frames.kept == b""
    server = ServerProtocol(state=State.OPEN)
    server.receive_data(reader.frames.replies)
    pongs = [event for event in server.events_received() if isinstance(event, Frame)]
    assert [(pong.opcode, bytes(pong.data)) for pong in pongs] == [
        (Opcode.PONG, ping) for ping in pings
    ]


def test_every_single_byte_may_come_alone() -> None:
    reader = Reader()
    stream = frame(Opcode.TEXT, b'{"a":1}\n{"b":2}') + frame(Opcode.PING, b"?")
    stream += frame(Opcode.TEXT, b"x" * 200, fin=False) + frame(Opcode.CONT, b"")
    stream += frame(Opcode.TEXT, b"z\n")  # whose LF is there already
    for byte in stream:
        reader.receive(bytes([byte]))
    assert reader.records == b'{"a":1}\n{"b":2}\n' + b"x" * 200 + b"\nz\n"


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=30))
def test_a_server_reads_what_is_said_in_frames_of_whole_lines(lengths: list[int]) -> None:
    said = [b"%d" % (number % 10) * length for number, length in enumerate(lengths)]
    server = ServerProtocol(state=State.OPEN)
    server.receive_data(frames_of(LF.join(said) + LF))
    frames = [event for event in server.events_received() if isinstance(event, Frame)]
    assert [line for one in frames for line in bytes(one.data).split(LF)] == said
    assert all(one.opcode is Opcode.TEXT and one.fin for one in frames)
    assert all(len(one.data) <= FRAME_BYTES for one in frames)


def test_a_line_longer_than_a_frame_goes_in_one_of_its_own() -> None:
    said = [b"short", b"l" * 70_000, b"short"]
    server = ServerProtocol(state=State.OPEN)
    server.receive_data(frames_of(LF.join(said) + LF))
    assert [bytes(one.data) for one in server.events_received() if isinstance(one, Frame)] == said


def test_the_handshake_gives_what_comes_behind_it() -> None:
    server, handshake = opened()
    server.send_text(b"welcome")
    answer = sent(server)
    assert handshake.receive(answer[:20]) is None
    rest = handshake.receive(answer[20:])
    assert rest == frame(Opcode.TEXT, b"welcome")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (b"101 Switching Protocols", b"403 Forbidden", "refused the WebSocket: HTTP/1.1 403"),
        (b"Sec-WebSocket-Accept: ", b"Sec-WebSocket-Accept: x", "Accept is wrong"),
        (b"chatroom.v1", b"chat", "subprotocol that was not offered"),
        (b"Upgrade: ", b"Sec-WebSocket-Extensions: x\r\nUpgrade: ", "extension that was not"),
        (b"\r\n\r\n", b"x" * 20_000, "has no end"),
    ],
)
def test_another_answer_is_refused(old: bytes, new: bytes, complaint: str) -> None:
    server, handshake = opened()
    answer = sent(server)
    assert old in answer
    with pytest.raises(WebSocketFault, match=complaint):
        handshake.receive(answer.replace(old, new))


@pytest.mark.parametrize(
    ("stream", "complaint"),
    [
        (b"\x81\x81\x00\x00\x00\x00x", "masked"),
        (b"\xc1\x01x", "reserved"),
        (b"\x83\x01x", "opcode 3"),
        (b"\x8b\x00", "opcode 11"),
        (frame(Opcode.BINARY, b"x"), "opcode 2"),
        (frame(Opcode.CONT, b"x"), "out of their order"),
        (frame(Opcode.TEXT, b"x", fin=False) + frame(Opcode.TEXT, b"xxxx"), "out of their order"),
        (b"\x09\x01x", "control frame"),
        (b"\x89\x7e\x00\x80" + b"x" * 128, "control frame"),
    ],
)
def test_what_breaks_the_protocol_is_named(stream: bytes, complaint: str) -> None:
    with pytest.raises(WebSocketFault, match=complaint):
        Reader().receive(stream)


def test_a_close_frame_is_answered_and_ends_the_stream() -> None:
    reader = Reader()
    close = Close(4408, "slow_reader").serialize()
    reader.receive(frame(Opcode.TEXT, b"bye") + frame(Opcode.CLOSE, close) + b"garbage")
    assert reader.records == b"bye\n"
    assert reader.frames.closed == "4408 slow_reader"
    server = ServerProtocol(state=State.OPEN)
    server.send_close(4408, "slow_reader")
    server.receive_data(reader.frames.replies)
    server.receive_eof()
    assert server.close_code == 4408
