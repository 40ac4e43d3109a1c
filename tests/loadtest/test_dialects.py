"""The peers' protocols: however bytes are cut, the same records and messages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatroom.swarm.wire.dialect import Dialect
from loadtest.dialects import ALL_DIALECTS

TEXTS = [b"4f2a:0000:%08d:some padding" % number for number in range(5)]


def redis(text: bytes) -> bytes:
    return b">3\r\n$7\r\nmessage\r\n$4\r\nroom\r\n$%d\r\n%b\r\n" % (len(text), text)


def nats(text: bytes) -> bytes:
    return b"MSG room 1 %d\r\n%b\r\n" % (len(text), text)


def mqtt(text: bytes) -> bytes:
    return b"\x30" + bytes([6 + len(text)]) + b"\0\4room" + text


def irc(text: bytes) -> bytes:
    return b":bot!~bot@127.0.0.1 PRIVMSG #room :%b\r\n" % text


def plain(text: bytes) -> bytes:
    return b"bot: %b\n" % text


def json_lines(text: bytes) -> bytes:
    return b'{"seq":1,"time":"","kind":"message","nick":"bot","text":"%b"}\n' % text


#: By dialect: what a message is on its connection, and what else may come.
SAID: dict[str, tuple[Callable[[bytes], bytes], list[bytes]]] = {
    "redis": (redis, [b":100\r\n", b"%1\r\n$3\r\nkey\r\n*2\r\n:1\r\n$-1\r\n", b"+OK\r\n"]),
    "nats": (nats, [b"PING\r\n", b"INFO {}\r\n", b"+OK\r\n"]),
    "mosquitto": (mqtt, [b"\x20\x02\0\0", b"\x90\x03\0\1\0", b"\xd0\0"]),
    "irc": (irc, [b":server 001 bot :Welcome\r\n", b"PING :x\r\n"]),
    "plain": (plain, [b"-- bot joined\n", b"* bot waves\n"]),
    "bare": (plain, []),
    "json": (json_lines, [b'{"kind":"presence"}\n', b"-- notice\n", b"{broken\n"]),
    "ws": (json_lines, [b'{"kind":"presence"}\n', b"-- notice\n", b"{broken\n"]),
    "bare-json": (json_lines, []),
}


def texts_in(dialect: Dialect, stream: bytes, cuts: list[int]) -> list[bytes]:
    """The messages' texts, the stream growing to each of the cuts and to its end."""
    texts, start = [], 0
    for length in [*sorted(cuts), len(stream)]:
        while stop := dialect.record_end(stream[:length], start):
            if (said := dialect.said(stream[start:stop])) is not None:
                texts.append(said.text)
            start = stop
    assert start == len(stream)
    return texts


@pytest.mark.parametrize("name", sorted(ALL_DIALECTS))
@settings(max_examples=30)
@given(data=st.data())
def test_messages_are_found_however_the_stream_is_cut(name: str, data: st.DataObject) -> None:
    message, others = SAID[name]
    parts = []
    for text in TEXTS:
        if others:
            parts += data.draw(st.lists(st.sampled_from(others)))
        parts.append(message(text))
    stream = b"".join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    assert texts_in(ALL_DIALECTS[name](), stream, cuts) == TEXTS


@pytest.mark.parametrize("name", sorted(ALL_DIALECTS))
def test_what_is_sent_ends_where_it_should(name: str) -> None:
    dialect = ALL_DIALECTS[name]()
    for listens in (True, False):
        assert isinstance(dialect.greeting("bot4f2a-0.1", listens=listens), bytes)
    assert TEXTS[0] in dialect.request("bot4f2a-0.1", TEXTS[0])
