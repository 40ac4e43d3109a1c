"""A bot's end of a WebSocket (RFC 6455): the handshake, frames out, and records out of frames.

Reading is nearly as lean as reading bare lines, because the generator must not be what is measured:
what came is one chunk to the ear, in the buffer that it was received in (several payloads are moved
together there), and nothing is done for each record.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha1

#: What a bot asks for.
PATH = "/ws"
SUBPROTOCOL = "chatroom.v1"

#: Payload of a frame that is sent: lines that are said at once go in frames of at most so much, a
#: small part of what any server takes.
FRAME_BYTES = 8192

#: Where what is received must begin in the buffer: in front of it is room for the end of a record.
ROOM_BYTES = 1

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LF = 0x0A
_FIN, _RESERVED, _MASKED = 0x80, 0x70, 0x80
_CONTINUATION, _TEXT, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x8, 0x9, 0xA
_WHOLE_TEXT = _FIN | _TEXT
_FIRST_PAYLOAD = ROOM_BYTES + 4  # of a first frame of 126 bytes to 64 KiB
_LONGEST_CONTROL = 125
_LENGTH_16, _LENGTH_64 = 126, 127
_LONGEST_RESPONSE = 16 * 1024


class WebSocketFault(Exception):
    """The server breaks RFC 6455, or refuses the WebSocket; the text says how."""


class Handshake:
    """The opening: what is sent, and what must come back.

    Args:
        host: as the `Host` header has it.
    """

    def __init__(self, host: str) -> None:
        key = b64encode(secrets.token_bytes(16))
        self._accept = b64encode(sha1(key + _GUID, usedforsecurity=False).digest()).decode()
        self._received = b""
        self.request = (
            f"GET {PATH} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key.decode()}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
        ).encode()

    def receive(self, chunk: bytes) -> bytes | None:
        """What comes behind the whole response; None while it is not whole.

        Raises:
            WebSocketFault: it is not the response that opens a WebSocket.
        """
        self._received += chunk
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            if len(head) > _LONGEST_RESPONSE:
                raise WebSocketFault("the server's response to the handshake has no end")
            return None
        status, *lines = head.decode("latin-1").split("\r\n")
        if status.split(" ")[:2] != ["HTTP/1.1", "101"]:
            raise WebSocketFault(f"the server refused the WebSocket: {status[:80]}")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        if headers.get("sec-websocket-accept") != self._accept:
            raise WebSocketFault("the server's Sec-WebSocket-Accept is wrong")
        if headers.get("sec-websocket-protocol", SUBPROTOCOL) != SUBPROTOCOL:
            raise WebSocketFault("the server chose a subprotocol that was not offered")
        if "sec-websocket-extensions" in headers:
            raise WebSocketFault("the server chose an extension that was not offered")
        return rest


def frames_of(lines: bytes) -> bytes:
    """Text frames for lines of JSON, each with LF at its end: as many in a frame as fit."""
    if len(lines) <= FRAME_BYTES:
        return _masked(_WHOLE_TEXT, lines[:-1])
    return b"".join(_masked(_WHOLE_TEXT, piece[:-1]) for piece in _pieces(lines))


def _pieces(lines: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(lines):
        stop = lines.rfind(b"\n", start, start + FRAME_BYTES) + 1
        if not stop:  # one line longer than a frame
            stop = lines.index(b"\n", start) + 1
        yield lines[start:stop]
        start = stop


def _masked(first: int, payload: bytes) -> bytes:
    """A client's frame."""
    size, key = len(payload), secrets.token_bytes(4)
    if size <= _LONGEST_CONTROL:
        head = bytes((first, _MASKED | size))
    elif size < 1 << 16:
        head = bytes((first, _MASKED | _LENGTH_16)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, _MASKED | _LENGTH_64)) + size.to_bytes(8, "big")
    # As one large number: the whole frame costs about a microsecond.
    stream = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    masked = (int.from_bytes(payload, "big") ^ stream).to_bytes(size, "big")
    return head + key + masked


class Frames:
    """What the server sends once the WebSocket is open: records out of frames, however cut.

    A record is a line of JSON; a message (of one frame, or of several) holds one or some of them,
    joined by LF. The stream of records has LF behind each, so it is the same as JSON Lines'.
    """

    def __init__(self) -> None:
        self.kept = b""  #: the beginning of a frame that cannot be read yet: comes first next time
        self.replies = b""  #: to be sent to the server: pongs, and the answer to its close frame
        self.closed = ""  #: the code and the reason of the server's close frame
        self._left = 0  # payload bytes of the present frame that are to come
        self._final = True  # is it the last of its message?
        self._fragmented = False  # has a message begun that is not complete?

    def unframe(self, buffer: memoryview, end: int) -> memoryview:
        """The records, in a part of the buffer; empty where there is none.

        Args:
            buffer: holds what was received from `ROOM_BYTES` on, `kept` at its beginning, and has
                room for one byte more.
            end: where that ends.

        Raises:
            WebSocketFault: the server breaks the protocol.
        """
        size = end - _FIRST_PAYLOAD
        if (
            size == buffer[ROOM_BYTES + 2] << 8 | buffer[ROOM_BYTES + 3]
            and size >= _LENGTH_16
            and buffer[ROOM_BYTES + 1] == _LENGTH_16
            and buffer[ROOM_BYTES] == _WHOLE_TEXT
            and not self._left
            and not self._fragmented
        ):
            # Nearly all there is: one whole message and nothing else. It stays where it is.
            self.kept = b""
            if buffer[end - 1] != _LF:
                buffer[end] = _LF
                end += 1
            return buffer[_FIRST_PAYLOAD:end]
        return buffer[: self._gather(buffer, end)]

    def _gather(self, buffer: memoryview, end: int) -> int:
        """Move the records to the beginning of the buffer; returns how many bytes they are."""
        at, written, left = ROOM_BYTES, 0, self._left
        self.kept = b""
        while at < end:
            if not left:
                if (
                    at + 4 <= end
                    and buffer[at] == _WHOLE_TEXT
                    and buffer[at + 1] == _LENGTH_16
                    and not self._fragmented
                ):
                    at, left = at + 4, buffer[at + 2] << 8 | buffer[at + 3]
                elif (began := self._begin(buffer, at, end)) is not None:
                    at, left = began
                else:
                    self.kept = bytes(buffer[at:end])
                    break
            stop = at + left if at + left < end else end
            filled = written + stop - at
            # A header, or the room, lies between: what is moved never overtakes what is read.
            buffer[written:filled] = buffer[at:stop]
            left -= stop - at
            if stop > at and not left and self._final and buffer[filled - 1] != _LF:
                buffer[filled] = _LF
                filled += 1
            at, written = stop, filled
        self._left = left
        return written

    def _begin(self, buffer: memoryview, at: int, end: int) -> tuple[int, int] | None:
        """Where the payload of the frame at `at` begins, and its bytes; behind a control frame, and
        none, once that is dealt with. None: more must come first.
        """
        if not (size := _header_size(buffer, at, end)):
            return None
        first, start = buffer[at], at + size
        length = int.from_bytes(buffer[at + 2 : start]) if size > 2 else buffer[at + 1]
        if first & 0x8:
            if length > _LONGEST_CONTROL or not first & _FIN:
                raise WebSocketFault("the server sent a control frame too long or in fragments")
            if length > end - start:
                return None
            self._control(first & 0xF, bytes(buffer[start : start + length]))
            return (end if self.closed else start + length), 0
        if first & 0xF not in (_CONTINUATION, _TEXT):
            raise WebSocketFault(f"the server sent a frame with opcode {first & 0xF}")
        if (first & 0xF == _CONTINUATION) is not self._fragmented:
            raise WebSocketFault("the server sent fragments out of their order")
        self._final = bool(first & _FIN)
        if self._fragmented and self._final and not length:
            # An empty last fragment: the end of the record is all that there is of it.
            buffer[start - 1] = _LF
            start, length = start - 1, 1
        self._fragmented = not self._final
        return start, length

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self.replies += _masked(_FIN | _PONG, payload)
        elif opcode == _CLOSE:
            code = int.from_bytes(payload[:2])
            self.closed = f"{code or 'no code'} {payload[2:].decode(errors='replace')}".strip()
            self.replies += _masked(_FIN | _CLOSE, payload[:2])
        elif opcode != _PONG:
            raise WebSocketFault(f"the server sent a frame with opcode {opcode}")


def _header_size(buffer: memoryview, at: int, end: int) -> int:
    """The bytes of the header that begins at `at`; 0 while it is not complete."""
    if end - at < 2:
        return 0
    if buffer[at] & _RESERVED:
        raise WebSocketFault("the server set reserved bits, and no extension is in use")
    if buffer[at + 1] & _MASKED:
        raise WebSocketFault("the server masked a frame")
    size = {_LENGTH_16: 4, _LENGTH_64: 10}.get(buffer[at + 1], 2)
    return size if end - at >= size else 0
