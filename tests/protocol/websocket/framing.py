"""Frames as clients send them, good and bad, and as they read them. Of our own, so that neither
half of the library is its own witness.
"""

from __future__ import annotations

from dataclasses import dataclass

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

_KEY = b"\x37\xfa\x21\x3d"


def masked(opcode: int, payload: bytes = b"", *, final: bool = True, bits: int = 0) -> bytes:
    """A client's frame; `bits` are the reserved ones."""
    first = (0x80 if final else 0) | bits << 4 | opcode
    return bytes((first,)) + _length(len(payload), 0x80) + _KEY + _mask(payload)


def unmasked(opcode: int, payload: bytes = b"") -> bytes:
    return bytes((0x80 | opcode,)) + _length(len(payload), 0) + payload


def says(*lines: str) -> bytes:
    """Lines in a text frame."""
    return masked(TEXT, "\n".join(lines).encode())


def in_fragments(payload: bytes, size_bytes: int, between: bytes = b"") -> bytes:
    """A text message in fragments of this size, with `between` them."""
    pieces = [payload[at : at + size_bytes] for at in range(0, len(payload), size_bytes)]
    frames = [
        masked(TEXT if index == 0 else CONT, piece, final=index == len(pieces) - 1)
        for index, piece in enumerate(pieces)
    ]
    return between.join(frames)


def closes(code: int | None = None, reason: bytes = b"") -> bytes:
    return masked(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


@dataclass(frozen=True)
class Got:
    """A frame that a client got."""

    opcode: int
    payload: bytes

    @property
    def lines(self) -> list[str]:
        assert self.opcode == TEXT
        return self.payload.decode().split("\n")

    @property
    def code(self) -> int | None:
        assert self.opcode == CLOSE
        return int.from_bytes(self.payload[:2], "big") if self.payload else None

    @property
    def reason(self) -> str:
        return self.payload[2:].decode()


def split_frames(data: bytes) -> tuple[list[Got], bytes]:
    """The whole frames of a server in `data`, unmasked and final (anything else is a fault), and
    what is left.
    """
    got = []
    while len(data) >= 2:
        assert data[0] & 0xF0 == 0x80, "not final, or reserved bits"
        length, start = data[1], 2
        assert length < 128, "a server's frame is masked"
        if length >= 126:
            start = 4 if length == 126 else 10
            if len(data) < start:
                break
            length = int.from_bytes(data[2:start], "big")
            assert length >= (126 if start == 4 else 1 << 16), "a longer length than it needs"
        if len(data) < start + length:
            break
        got.append(Got(data[0] & 0xF, data[start : start + length]))
        data = data[start + length :]
    return got, data


def read_frames(data: bytes) -> list[Got]:
    """The frames in `data`, which has nothing else."""
    got, rest = split_frames(data)
    assert rest == b"", "a torn frame"
    return got


def _length(length: int, mask_bit: int) -> bytes:
    if length < 126:
        return bytes((mask_bit | length,))
    if length < 1 << 16:
        return bytes((mask_bit | 126,)) + length.to_bytes(2, "big")
    return bytes((mask_bit | 127,)) + length.to_bytes(8, "big")


def _mask(payload: bytes) -> bytes:
    return bytes(byte ^ _KEY[index % 4] for index, byte in enumerate(payload))
