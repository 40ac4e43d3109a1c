"""What is read out of a ClientHello: of real ones, of ones made by the book, and of any bytes."""

from __future__ import annotations

import ssl
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.transport.client_hello import HEADER_BYTES, protocols_of, record_bytes
from tests.certificates import trusting_anybody

_VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
_OFFERS: tuple[tuple[str, ...], ...] = ((), ("irc",), ("h2", "http/1.1"))


def _real(version: ssl.TLSVersion, offered: tuple[str, ...]) -> bytes:
    context = trusting_anybody()
    context.minimum_version = context.maximum_version = version
    if offered:
        context.set_alpn_protocols(list(offered))
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    return out.read()


def _vector(length_bytes: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return len(content).to_bytes(length_bytes) + content


def _alpn(*names: bytes) -> bytes:
    return b"\0\x10" + _vector(2, _vector(2, *(_vector(1, name) for name in names)))


def _hello(*extensions: bytes, random: bytes = bytes(32), session: bytes = b"") -> bytes:
    body = b"\3\3" + random + _vector(1, session) + _vector(2, b"\x13\1") + _vector(1, b"\0")
    return b"\x16\3\1" + _vector(2, b"\1" + _vector(3, body + _vector(2, *extensions)))


@pytest.mark.parametrize("version", _VERSIONS)
@pytest.mark.parametrize("offered", _OFFERS)
def test_a_real_one(version: ssl.TLSVersion, offered: tuple[str, ...]) -> None:
    hello = _real(version, offered)
    assert record_bytes(hello[:HEADER_BYTES]) == len(hello)
    assert protocols_of(hello) == tuple(name.encode() for name in offered)


@pytest.mark.parametrize("version", _VERSIONS)
def test_one_that_is_cut_or_goes_on_says_nothing(version: ssl.TLSVersion) -> None:
    hello = _real(version, ("irc",))
    assert all(protocols_of(hello[:end]) is None for end in range(len(hello)))
    assert protocols_of(hello + b"\0") is None


def test_one_without_extensions_offers_nothing() -> None:
    body = b"\3\3" + bytes(32) + b"\0" + _vector(2, b"\xc0\x2b") + _vector(1, b"\0")
    assert protocols_of(b"\x16\3\1" + _vector(2, b"\1" + _vector(3, body))) == ()


def test_one_in_two_records_says_nothing() -> None:
    message = _hello(_alpn(b"irc"))[HEADER_BYTES:]
    for cut in range(1, len(message)):
        assert protocols_of(b"\x16\3\1" + _vector(2, message[:cut])) is None


def test_another_message_is_none() -> None:
    hello = _hello()
    assert protocols_of(hello) == ()
    server_hello = hello[:HEADER_BYTES] + b"\2" + hello[HEADER_BYTES + 1 :]
    assert protocols_of(server_hello) is None


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (b"\x16\3\1\x20\0", 5 + 8192),
        (b"\x16\3\1\x20\1", 5),
        (b"\x16\3\1\xff\xff", 5),
        (b"\x17\3\1\1\0", 5),  # no handshake
        (b"\x16\3\1\1", 5),
        (b"", 5),
    ],
)
def test_the_length_of_a_record(header: bytes, length: int) -> None:
    assert record_bytes(header) == length


@given(
    before=st.lists(st.tuples(st.integers(17, 65535), st.binary(max_size=50)), max_size=5),
    names=st.lists(st.binary(min_size=1, max_size=255), max_size=8),
    random=st.binary(min_size=32, max_size=32),
    session=st.binary(max_size=32),
)
def test_what_was_written_is_read(
    before: list[tuple[int, bytes]], names: list[bytes], random: bytes, session: bytes
) -> None:
    others = [kind.to_bytes(2) + _vector(2, content) for kind, content in before]
    hello = _hello(*others, _alpn(*names), *others, random=random, session=session)
    assert record_bytes(hello[:HEADER_BYTES]) == len(hello)
    assert protocols_of(hello) == tuple(names)


@given(data=st.data())
def test_no_bytes_raise(data: st.DataObject) -> None:
    """Any bytes, and real ones in which some were changed."""
    garbage = data.draw(st.binary(max_size=100))
    assert protocols_of(garbage) is None or garbage[:1] == b"\x16"
    hello = bytearray(_hello(_alpn(b"http/1.1"), b"\0\x0a" + _vector(2, b"\0\2\0\x1d")))
    places = st.tuples(st.integers(0, len(hello) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, min_size=1, max_size=4)):
        hello[place] = value
    offered = protocols_of(bytes(hello))
    assert offered is None or all(name in hello for name in offered)
    assert HEADER_BYTES <= record_bytes(bytes(hello[:HEADER_BYTES])) <= HEADER_BYTES + 8192


@pytest.mark.parametrize("extensions", [[b"\0\1\0\0"] * 2000, [_alpn(*[b"x"] * 4000)]])
def test_the_worst_one_takes_no_longer_than_a_handshake_or_so(extensions: list[bytes]) -> None:
    hello = _hello(*extensions)
    assert 8000 < len(hello) == record_bytes(hello[:HEADER_BYTES])
    began = process_time()
    assert protocols_of(hello) is not None
    assert process_time() - began < 0.05  # 3 ms, where nobody else works
