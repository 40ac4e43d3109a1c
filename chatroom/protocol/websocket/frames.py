"""Frames as a server sends them (RFC 6455, section 5.2): whole and unmasked, so that the same bytes
serve everybody.
"""

from __future__ import annotations

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA

_FINAL = 0x80

#: A control frame's payload is at most this long; of a close frame two are the code.
_MAX_CONTROL_BYTES = 125


def frame(opcode: int, payload: bytes) -> bytes:
    """One frame. A control frame's payload has at most 125 bytes."""
    length = len(payload)
    if length < 126:
        header = bytes((_FINAL | opcode, length))
    elif length < 1 << 16:
        header = bytes((_FINAL | opcode, 126)) + length.to_bytes(2, "big")
    else:
        header = bytes((_FINAL | opcode, 127)) + length.to_bytes(8, "big")
    return header + payload


def close_frame(code: int | None, reason: str = "") -> bytes:
    """A close frame; what of the reason is too long for one is left out. None: without a code."""
    if code is None:
        return frame(CLOSE, b"")
    text = reason.encode()[: _MAX_CONTROL_BYTES - 2].decode("utf-8", "ignore")
    return frame(CLOSE, code.to_bytes(2, "big") + text.encode())


def end_of_frame(frames: bytes, offset: int) -> int:
    """Where the frame ends that `offset` is in; `frames` are whole ones. At a frame's beginning,
    and at the end, that is `offset` itself.
    """
    start = 0
    while start < offset:
        length = frames[start + 1]
        payload = start + 2
        if length >= 126:
            bytes_ = 2 if length == 126 else 8
            length = int.from_bytes(frames[payload : payload + bytes_], "big")
            payload += bytes_
        start = payload + length
    return min(start, len(frames))
