"""The codec of the feed: nothing is lost between encoding and decoding, and no bytes break it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.protocol import moldudp64 as mold

SESSION = b"K3F9A2QZ01"
MESSAGES = st.lists(st.binary(max_size=300), min_size=1, max_size=40)
SEQUENCES = st.integers(1, 2**63)


def test_the_bytes_of_a_packet_are_those_of_the_standard() -> None:
    (packet,) = mold.packets(SESSION, 258, [mold.block(b"hello"), mold.block(b"")], 1452)

    assert packet == b"K3F9A2QZ01" + bytes([0, 0, 0, 0, 0, 0, 1, 2]) + b"\0\2\0\5hello\0\0"
    assert mold.heartbeat(SESSION, 7) == SESSION + bytes(7) + b"\7\0\0"
    assert mold.end_of_session(SESSION, 7) == SESSION + bytes(7) + b"\7\xff\xff"
    assert mold.request(SESSION, 7, 3) == SESSION + bytes(7) + b"\7\0\3"


@given(MESSAGES, SEQUENCES, st.integers(330, 1452))
def test_packets_hold_every_message_once_in_order_within_the_size(
    messages: list[bytes], sequence: int, size: int
) -> None:
    datagrams = list(mold.packets(SESSION, sequence, [mold.block(m) for m in messages], size))

    decoded = [mold.decode_packet(datagram) for datagram in datagrams]
    assert [m for packet in decoded for m in packet.messages] == messages
    assert all(len(datagram) <= size for datagram in datagrams)
    expected = sequence
    for packet in decoded:
        assert (packet.session, packet.sequence) == (SESSION, expected)
        assert not packet.end_of_session
        expected += len(packet.messages)


@given(MESSAGES, SEQUENCES, st.integers(330, 1452))
def test_as_many_messages_share_a_packet_as_fit(
    messages: list[bytes], sequence: int, size: int
) -> None:
    blocks = [mold.block(m) for m in messages]
    datagrams = list(mold.packets(SESSION, sequence, blocks, size))

    heads = [mold.decode_packet(datagram).sequence - sequence for datagram in datagrams]
    for datagram, next_head in zip(datagrams, heads[1:], strict=False):
        assert len(datagram) + len(blocks[next_head]) > size


def test_a_message_too_long_for_the_size_goes_alone() -> None:
    blocks = [mold.block(b"a"), mold.block(b"b" * 2000), mold.block(b"c")]

    sizes = [len(d) for d in mold.packets(SESSION, 1, blocks, 1452)]

    assert sizes == [23, 2022, 23]
    assert mold.largest_message(1452) == 1430


def test_a_packet_never_counts_so_many_that_it_means_the_end_of_the_session() -> None:
    first, second = mold.packets(SESSION, 1, [mold.block(b"")] * 0xFFFF, 1 << 20)

    assert len(mold.decode_packet(first).messages) == 0xFFFE
    assert mold.decode_packet(second).sequence == 0xFFFF


@given(SEQUENCES)
def test_control_packets(sequence: int) -> None:
    beat = mold.decode_packet(mold.heartbeat(SESSION, sequence))
    end = mold.decode_packet(mold.end_of_session(SESSION, sequence))

    assert beat == mold.Packet(SESSION, sequence, ())
    assert end == mold.Packet(SESSION, sequence, (), end_of_session=True)


@given(SEQUENCES, st.integers(1, 0xFFFF))
def test_requests(sequence: int, count: int) -> None:
    assert mold.decode_request(mold.request(SESSION, sequence, count)) == (SESSION, sequence, count)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        SESSION,
        mold.heartbeat(SESSION, 1)[:-1],
        mold.heartbeat(SESSION, 1) + b"x",
        mold.end_of_session(SESSION, 1) + b"\0\1x",
        mold.HEADER.pack(SESSION, 1, 1),
        mold.HEADER.pack(SESSION, 1, 1) + b"\0",
        mold.HEADER.pack(SESSION, 1, 1) + b"\0\2x",
        mold.HEADER.pack(SESSION, 1, 1) + b"\0\1xy",
        mold.HEADER.pack(SESSION, 1, 2) + b"\0\1x",
        mold.HEADER.pack(SESSION, 2**64 - 1, 2) + b"\0\0\0\0",
    ],
)
def test_malformed_packets_are_refused(datagram: bytes) -> None:
    with pytest.raises(mold.MalformedPacket):
        mold.decode_packet(datagram)


@pytest.mark.parametrize("datagram", [b"", bytes(19), bytes(21), mold.HEADER.pack(SESSION, 1, 0)])
def test_malformed_requests_are_refused(datagram: bytes) -> None:
    with pytest.raises(mold.MalformedPacket):
        mold.decode_request(datagram)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_whole_packet_or_refused(datagram: bytes) -> None:
    try:
        packet = mold.decode_packet(datagram)
    except mold.MalformedPacket:
        return
    if packet.messages:
        blocks = [mold.block(message) for message in packet.messages]
        assert list(mold.packets(packet.session, packet.sequence, blocks, 1452)) == [datagram]
    else:
        make = mold.end_of_session if packet.end_of_session else mold.heartbeat
        assert make(packet.session, packet.sequence) == datagram


@given(MESSAGES, st.data())
def test_a_damaged_packet_never_yields_more_than_it_holds(
    messages: list[bytes], data: st.DataObject
) -> None:
    whole = next(mold.packets(SESSION, 1, [mold.block(m) for m in messages], 1 << 16))
    at = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.integers(0, len(whole)))
    damaged = (whole[:at] + data.draw(st.binary(min_size=1, max_size=1)) + whole[at + 1 :])[:cut]
    try:
        packet = mold.decode_packet(damaged)
    except mold.MalformedPacket:
        return
    assert sum(map(len, packet.messages)) <= len(damaged)
