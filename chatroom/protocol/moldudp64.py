"""MoldUDP64, version 1.00: datagrams from messages, and messages from datagrams.

The format is NASDAQ's; all integers are big-endian.

    downstream packet   session: 10 | sequence: u64 | count: u16 | count x (length: u16, message)
    heartbeat           count 0, sequence = the next to be sent, no blocks
    end of session      count 0xFFFF, sequence = the next to be sent, no blocks
    request             session: 10 | sequence wanted first: u64 | count wanted: u16

Nothing here does I/O, and nothing trusts its input: whatever bytes come, a decoder returns a whole
packet or raises `MalformedPacket`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import NamedTuple

#: Session, sequence, count: the head of every packet, and the whole of a request.
HEADER = Struct("!10sQH")
HEADER_BYTES = HEADER.size
#: What stands before each message: its length.
LENGTH_BYTES = 2
#: The count that says that no more will come in this session.
END_OF_SESSION = 0xFFFF
#: The most messages that a downstream packet can count; one more would be the end of the session.
MOST_MESSAGES = END_OF_SESSION - 1
#: The most messages that one request can ask for.
MOST_REQUESTED = 0xFFFF
_SEQUENCE_END = 1 << 64


class MalformedPacket(ValueError):
    """These bytes are not a MoldUDP64 packet of the expected direction."""


class Packet(NamedTuple):
    """A downstream packet."""

    session: bytes  #: ten bytes
    sequence: int  #: of the first message; without messages, of the next one to be sent
    messages: Sequence[bytes]
    end_of_session: bool = False


class Request(NamedTuple):
    """A listener asks to be sent messages again."""

    session: bytes
    sequence: int  #: of the first message wanted
    wanted: int  #: how many; at least 1; the answer brings as many as fit one packet


def largest_message(datagram_bytes: int) -> int:
    """The longest message, in bytes, that still fits a datagram of `datagram_bytes` alone."""
    return datagram_bytes - HEADER_BYTES - LENGTH_BYTES


def block(message: bytes) -> bytes:
    """A message with its length before it, as it stands in a packet.

    Raises `OverflowError` for a message of more than 65,535 bytes.
    """
    return len(message).to_bytes(LENGTH_BYTES, "big") + message


def packets(
    session: bytes, sequence: int, blocks: Sequence[bytes], datagram_bytes: int
) -> Iterator[bytes]:
    """The blocks, from `sequence` on, in as few datagrams of at most `datagram_bytes` as they fit.

    A block that alone is too long for such a datagram gets one of its own, longer than that:
    whether it can be sent is for the network to say.
    """
    room = datagram_bytes - HEADER_BYTES
    start = 0
    while start < len(blocks):
        left = room - len(blocks[start])
        stop = start + 1
        while stop < len(blocks) and stop - start < MOST_MESSAGES:
            left -= len(blocks[stop])
            if left < 0:
                break
            stop += 1
        head = HEADER.pack(session, sequence + start, stop - start)
        yield head + b"".join(blocks[start:stop])
        start = stop


def heartbeat(session: bytes, next_sequence: int) -> bytes:
    """Says which number comes next, so that a lost last packet is noticed."""
    return HEADER.pack(session, next_sequence, 0)


def end_of_session(session: bytes, next_sequence: int) -> bytes:
    """Says that `next_sequence` will never come."""
    return HEADER.pack(session, next_sequence, END_OF_SESSION)


def request(session: bytes, sequence: int, count: int) -> bytes:
    """Asks for `count` messages (1 to 65,535) from `sequence` on."""
    return HEADER.pack(session, sequence, count)


def decode_packet(datagram: bytes) -> Packet:
    """A downstream packet from its bytes.

    Raises `MalformedPacket` unless the datagram is exactly what its count and lengths say: one
    byte less or more, and it is something else that came to this port.
    """
    if len(datagram) < HEADER_BYTES:
        raise MalformedPacket("shorter than a header")
    session, sequence, count = HEADER.unpack_from(datagram)
    if count in (0, END_OF_SESSION):
        if len(datagram) != HEADER_BYTES:
            raise MalformedPacket("bytes after the header of a packet that has no messages")
        return Packet(session, sequence, (), count == END_OF_SESSION)
    if sequence + count > _SEQUENCE_END:
        raise MalformedPacket("numbers beyond 64 bits")
    return Packet(session, sequence, _messages(datagram, count))


def _messages(datagram: bytes, count: int) -> list[bytes]:
    messages = []
    size = len(datagram)
    at = HEADER_BYTES
    for _ in range(count):
        start = at + LENGTH_BYTES
        if start > size:
            raise MalformedPacket("fewer messages than counted")
        at = start + (datagram[start - 2] << 8 | datagram[start - 1])
        messages.append(datagram[start:at])
    if at != size:
        raise MalformedPacket("the lengths of the messages do not add up to the datagram's")
    return messages


def decode_request(datagram: bytes) -> Request:
    """A request from its bytes.

    Raises `MalformedPacket` unless it is exactly 20 bytes long and wants at least one message.
    """
    if len(datagram) != HEADER_BYTES:
        raise MalformedPacket("a request is 20 bytes long")
    asked = Request(*HEADER.unpack(datagram))
    if asked.wanted == 0:
        raise MalformedPacket("a request for nothing")
    return asked
