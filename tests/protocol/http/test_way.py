"""Which first lines are HTTP's: none of them, and nothing behind them, is ever a word."""

from __future__ import annotations

import pytest

from chatroom.protocol.http.way import HttpWay
from chatroom.protocol.plain.render import PLAIN
from chatroom.protocol.requests import Hello, Request, Speaks
from chatroom.settings import RESERVE_SECONDS
from tests.web.exchange import Exchange, PaperSite, asks, exchange

#: What a page's script would have the visitor say.
_TALK = b"\n/nick mallory\nhello\n/me waves\n/json {}\n" * 20


def _singly(data: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in data]


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1",
        b"POST / HTTP/1.1",
        b"GET /%2e%2e/x?y=z HTTP/1.0",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT example.org:443 HTTP/1.1",
        b"GET http://localhost/ HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"PROPFIND / HTTP/1.1",
        b"VERSION-CONTROL / HTTP/1.1",
        b"NICK bob HTTP/1.1",
        b"x / HTTP/1.1",  # fetch() with a method of its own, sent as it is written
        b"hello-there / HTTP/1.1",
        b"GET / HTTP/9.9",
        b"GET / HTTP/1.1 and more",
        b"GET / HTTP/1.12",
        b"GET /\xff HTTP/1.1",
    ],
)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_request_line_is_http_and_nothing_of_it_is_heard(line: bytes, end: bytes) -> None:
    data = line + end + b"Host: x\r\n\r\n" + _TALK
    for chunks in ([data], _singly(data)):
        said = exchange(*chunks)
        said.assert_silent()
        assert said.sent.startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize(
    "line",
    [
        b"GET well soon",
        b"GET / HTTP/1.",
        b"GET /  HTTP/1.1",
        b"GET  / HTTP/1.1",
        b" GET / HTTP/1.1",
        b"get / http/1.1",
        b"G(T / HTTP/1.1",
        b"try GET / HTTP/1.1",
        b"my file / HTTP/1.1",
        b"wget x HTTP/1.1 works",
        b"HTTP/1.1 200 OK",
    ],
)
def test_what_is_no_request_line_is_talk(line: bytes) -> None:
    for chunks in ([line + b"\n"], _singly(line + b"\n")):
        assert exchange(*chunks).drafts == [
            Speaks(PLAIN),
            Hello(strict=False),
            Request("message", line.decode()),
        ]


@pytest.mark.parametrize("line", [b"GET /\x01 HTTP/1.1", b"GET /\r HTTP/1.1", b"SSH-X / HTTP/1.1"])
def test_a_line_of_two_protocols_is_that_of_its_first_bytes_however_it_is_cut(line: bytes) -> None:
    whole, singly = exchange(line + b"\r\n\r\n"), exchange(*_singly(line + b"\r\n\r\n"))
    assert whole.drafts == singly.drafts
    whole.assert_silent()


def test_no_more_than_the_longest_first_line_is_waited_for() -> None:
    way = HttpWay()
    assert way.claims(b"GET /" + b"a" * 8187) is None
    assert way.claims(b"GET /" + b"a" * 8188) is True
    assert way.claims(b"GET " + b"a b" * 8188) is False
    assert way.claims(b"GET /" + b"a" * 8178 + b" HTTP/1.1\n") is True


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"GET /" + b"a" * 9000])
def test_who_is_in_the_room_already_is_turned_away_without_a_word(data: bytes) -> None:
    late = Exchange()
    late.expire()
    assert [type(draft).__name__ for draft in late.drafts] == ["Speaks", "Hello"]
    late.feed(data + _TALK)
    assert [type(draft).__name__ for draft in late.drafts[2:]] == ["Ending"]


def test_a_connection_that_a_browser_keeps_in_reserve_is_no_guest() -> None:
    reserve = Exchange(PaperSite(loading=True))
    reserve.expire()
    assert reserve.drafts == []
    assert reserve.session.wait is not None
    assert reserve.session.wait.seconds == RESERVE_SECONDS
    reserve.feed(asks("/style.css"))
    assert reserve.response.body == b"body of /style.css"
    reserve.assert_silent()


def test_it_is_one_if_it_stays_silent_and_talks_as_everybody_else() -> None:
    silent = Exchange(PaperSite(loading=True))
    silent.expire()
    silent.expire()
    assert silent.drafts == [Speaks(PLAIN), Hello(strict=False)]
    talker = Exchange(PaperSite(loading=True))
    talker.expire()
    talker.feed(b"hello\n")
    assert talker.drafts[2:] == [Request("message", "hello")]
    begun = Exchange(PaperSite(loading=True))
    begun.feed(b"hel").expire()
    assert begun.drafts == [Speaks(PLAIN), Hello(strict=False)]


def test_a_request_line_that_drips_longer_than_it_is_waited_for_is_no_talk() -> None:
    slow = exchange(b"POST / HTT")
    slow.expire()
    slow.feed(b"P/1.1\r\nHost: x\r\n\r\n" + _TALK)
    assert [type(draft).__name__ for draft in slow.drafts] == ["Speaks", "Hello", "Ending"]
