"""However a connection's bytes are cut, it is answered the same; and no bytes make it fail."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.protocol.requests import Draft, Ending
from tests.protocol.chunking import cut, places
from tests.web.exchange import Exchange, asks, exchange

#: Requests, and pieces of such as should not be.
_PIECES = [
    asks("/a"),
    asks("/b", method="HEAD"),
    asks("/304", "If-None-Match: *"),
    asks("/", method="POST"),
    asks("/", "Content-Length: 3"),
    asks("/", "Connection: close"),
    b"GET / HTTP/1.1\r\n",
    b"Host: x\r\n",
    b"X: y\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b":",
    b"\x00",
    b"\xff",
    b"Transfer-Encoding: chunked\r\n",
    b"a" * 5000,
    b"hello\n/nick mallory\n",
]


def _asked(seed: int, *, pieces: int) -> bytes:
    rng = random.Random(seed)
    data = asks("/first") if rng.random() < 0.5 else b"GET / HTTP/1.1\r\n"
    return data + b"".join(rng.choice(_PIECES) for _ in range(rng.randrange(pieces)))


def _answered(chunks: list[bytes]) -> tuple[bytes, list[Draft], list[object]]:
    said = exchange(*chunks)
    said.assert_silent()
    endings: list[Draft] = [draft for draft in said.drafts if type(draft) is Ending]
    return said.sent, endings, [*said.site.asked]


@given(st.integers(min_value=0), places)
def test_the_same_answers_however_the_bytes_are_cut(seed: int, at: list[int]) -> None:
    data = _asked(seed, pieces=12)
    assert _answered(cut(data, at)) == _answered([data])


@pytest.mark.parametrize("seed", range(150))
def test_single_bytes_are_answered_as_the_whole(seed: int) -> None:
    data = _asked(seed, pieces=8)
    assert _answered([bytes([byte]) for byte in data]) == _answered([data])


@given(st.binary(max_size=400), places)
def test_no_bytes_make_it_fail(data: bytes, at: list[int]) -> None:
    said = exchange(b"GET / HTTP/1.1\r\n", *cut(data, at))
    said.assert_silent()
    if not said.has_ended:
        said.expire()
    assert isinstance(said, Exchange)
