"""What a ClientHello says of its client: the protocols that it is ready to speak. Sans I/O.

The bytes are hostile, and OpenSSL reads them again: nothing here decides whether they are good.
"""

from __future__ import annotations

from collections.abc import Iterator

#: Of a record: its type, a version, and the length of what follows (RFC 8446, section 5.1).
HEADER_BYTES = 5

#: No longer one is looked at, although a record may have twice as much: with a post-quantum key and
#: a session that is resumed, in which a certificate of RSA-4096 is, it has less than four KiB. One
#: of this length, made to take long, takes 3 ms to read.
_MOST_BYTES = 8192

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_ALPN = 16  # RFC 7301

#: A version and a random number, before the first of a ClientHello's vectors.
_FIXED_BYTES = 2 + 32


class _CutError(Exception):
    """It ends before its end, or does not end with it."""


def record_bytes(header: bytes) -> int:
    """The length of the record, with the header, that begins with these `HEADER_BYTES`; of the
    header alone if it is of none that is worth a look, or is not whole.
    """
    length = int.from_bytes(header[3:5])
    whole = len(header) == HEADER_BYTES and header[0] == _HANDSHAKE and length <= _MOST_BYTES
    return HEADER_BYTES + length if whole else HEADER_BYTES


def protocols_of(record: bytes) -> tuple[bytes, ...] | None:
    """The protocols that a ClientHello offers (ALPN), in its order; empty if it offers none. None
    if `record` is not one whole ClientHello: also one that goes on in a second record.
    """
    try:
        return tuple(_protocols(memoryview(record)))
    except _CutError:
        return None


def _protocols(record: memoryview) -> Iterator[bytes]:
    """RFC 8446, section 4.1.2: one vector after the other, each with its length before it."""
    message = _last(record[3:], 2)
    if record[0] != _HANDSHAKE or message[:1] != bytes([_CLIENT_HELLO]):
        raise _CutError
    rest = _last(message[1:], 3)[_FIXED_BYTES:]
    for length_bytes in (1, 2, 1):  # the session's id, cipher suites, ways of compression
        _, rest = _vector(rest, length_bytes)
    if not rest:
        return  # before TLS 1.3 there may be no extensions, and no length of them either
    extensions = _last(rest, 2)
    while extensions:
        kind = int.from_bytes(extensions[:2])
        extension, extensions = _vector(extensions[2:], 2)
        names = _last(extension, 2) if kind == _ALPN else extension[:0]
        while names:
            name, names = _vector(names, 1)
            yield bytes(name)


def _vector(data: memoryview, length_bytes: int) -> tuple[memoryview, memoryview]:
    """What a length of so many bytes says that there is, and what is behind it."""
    end = length_bytes + int.from_bytes(data[:length_bytes])
    if end > len(data):
        raise _CutError
    return data[length_bytes:end], data[end:]


def _last(data: memoryview, length_bytes: int) -> memoryview:
    """A vector behind which there is nothing."""
    vector, rest = _vector(data, length_bytes)
    if rest:
        raise _CutError
    return vector
