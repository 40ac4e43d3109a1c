"""Requests that two readers might read in two ways, and bodies: nothing after them is read."""

from __future__ import annotations

import pytest

from chatroom.event import CloseReason
from chatroom.protocol.requests import Ending
from tests.web.exchange import asks, exchange, read_responses


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 5"],
        ["Content-Length: 005"],
        ["Content-Length: 99999999999999999999"],
        ["Transfer-Encoding: chunked"],
        ["Transfer-Encoding: CHUNKED"],
        ["Content-Length: 5", "Expect: 100-continue"],
        ["Transfer-Encoding: chunked", "Expect: 100-continue"],
    ],
)
@pytest.mark.parametrize(("method", "status"), [("GET", 413), ("POST", 405), ("PUT", 405)])
def test_a_body_is_never_read(headers: list[str], method: str, status: int) -> None:
    said = exchange(asks("/", *headers, method=method) + b"hello" + asks("/b"))
    assert said.response.status == status
    assert said.response.closes
    assert said.has_ended
    assert said.site.asked == []
    said.assert_silent()


def test_an_expectation_without_a_body_is_passed_over() -> None:
    said = exchange(asks("/a", "Expect: 100-continue", "Content-Length: 0"))
    assert said.response.body == b"body of /a"


# What two readers might read in two ways


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (asks("/", "Content-Length: 3", "Transfer-Encoding: chunked"), 400),
        (asks("/", "Content-Length: 0", "Transfer-Encoding: chunked"), 400),
        (asks("/", "Content-Length: 0", "Content-Length: 0"), 400),
        (asks("/", "Content-Length: 0", "Content-Length: 5"), 400),
        (asks("/", "Content-Length: 0, 0"), 400),
        (asks("/", "Content-Length: 0,5"), 400),
        (asks("/", "Content-Length: +0"), 400),
        (asks("/", "Content-Length: -1"), 400),
        (asks("/", "Content-Length: 0x0"), 400),
        (asks("/", "Content-Length:"), 400),
        (asks("/", "Content-Length: " + "9" * 30), 400),
        (asks("/", "Transfer-Encoding: identity"), 501),
        (asks("/", "Transfer-Encoding: chunked, gzip"), 501),
        (asks("/", "Transfer-Encoding: xchunked"), 501),
        (asks("/", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 501),
        (asks("/", "Transfer-Encoding: chunked", version="1.0"), 400),
        (asks("/", "Transfer-Encoding : chunked"), 400),
        (asks("/", "Content-Length : 3"), 400),
        (asks("/", "X: a", " folded: b"), 400),
        (asks("/", "X: a", "\tfolded"), 400),
        (asks("/", " X: a"), 400),
        (asks("/", "no colon"), 400),
        (asks("/", ": no name"), 400),
        (asks("/", "X y: a"), 400),
        (asks("/", "X: a\rb"), 400),
        (asks("/", "X: a\r\rTransfer-Encoding: chunked"), 400),
        (asks("/", "X: a\nTransfer-Encoding: chunked"), 400),
        (asks("/", "X: a\x00b"), 400),
        (asks("/", "X: a\x0bb"), 400),
        (asks("/", "X\x7f: a"), 400),
        (b"GET / HTTP/1.1\nHost: localhost\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\n", 400),
        (b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.12\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /#x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/0.9\r\n\r\n", 505),
    ],
)
def test_what_is_ambiguous_or_wrong_is_refused_and_closed(data: bytes, status: int) -> None:
    smuggled = asks("/smuggled")
    for chunks in ([data + smuggled], [bytes([byte]) for byte in data + smuggled]):
        said = exchange(*chunks)
        assert said.response.status == status
        assert said.response.closes
        assert said.site.asked == []
        ending = said.drafts[-1]
        assert type(ending) is Ending
        assert ending.reason is CloseReason.PROTOCOL_ERROR
        said.assert_silent()


def test_a_head_that_is_refused_gets_no_body_either() -> None:
    (response,) = read_responses(exchange(asks("/#", method="HEAD")).sent, "HEAD")
    assert (response.status, response.body) == (400, b"")
