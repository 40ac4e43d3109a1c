"""Requests and their answers by RFC 9112: what is asked, what is refused, when it is closed."""

from __future__ import annotations

import pytest

from chatroom.event import CloseReason
from chatroom.protocol.http.session import HttpSession
from chatroom.protocol.requests import Ending, Reply
from chatroom.protocol.session import Visit
from chatroom.settings import KEEP_ALIVE_SECONDS, REQUEST_SECONDS
from chatroom.web.headers import SECURITY_HEADERS
from tests.protocol.test_sessions import RULES
from tests.web.exchange import Exchange, asks, exchange, read_responses


def test_a_get_is_answered_and_may_be_followed_by_another() -> None:
    said = exchange(asks("/a?b=c", "X-One: 1", "x-one: 2", "Accept:  x  "))
    assert (said.response.status, said.response.body) == (200, b"body of /a")
    assert not said.response.closes
    (asked,) = said.site.asked
    assert (asked.method, asked.path, asked.local) == ("GET", "/a", True)
    assert asked.headers == {"host": "localhost", "x-one": "1, 2", "accept": "x"}
    said.feed(asks("/next"))
    assert [response.body for response in said.responses] == [b"body of /a", b"body of /next"]
    assert not said.has_ended


def test_a_head_gets_the_headers_of_a_get_and_no_body() -> None:
    said = exchange(asks("/a", method="HEAD") + asks("/b"))
    head, get = read_responses(said.sent, "HEAD", "GET")
    assert (head.header("Content-Length"), head.body) == ("10", b"")
    assert get.body == b"body of /b"


def test_not_modified_has_no_body_and_no_length() -> None:
    said = exchange(asks("/304") + asks("/b"))
    not_modified, ok = said.responses
    assert (not_modified.status, not_modified.header("ETag")) == (304, '"x"')
    assert not not_modified.has("Content-Length")
    assert not not_modified.has("Content-Type")
    assert ok.body == b"body of /b"


@pytest.mark.parametrize(
    "data",
    [
        asks("/"),
        asks("/304"),
        asks("/", method="POST"),
        asks("/", "Content-Length: 3"),
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/3.0\r\n\r\n",
        b"GET /" + b"a" * 9000,
        asks("/ws", "Upgrade: websocket"),
    ],
)
def test_every_response_has_the_security_headers_and_none_of_cors(data: bytes) -> None:
    response = exchange(data).response
    for name, value in SECURITY_HEADERS:
        assert response.header(name) == value
    assert not any(name.lower().startswith("access-control") for name, _ in response.headers)
    assert response.has("Cache-Control")


def test_a_response_has_a_date() -> None:
    (reply,) = [draft for draft in exchange(asks("/")).drafts if type(draft) is Reply]
    assert b"\r\nDate: " in reply.data


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "DELETE", "TRACE", "PATCH", "head", "x"])
def test_other_methods_are_refused_with_those_that_are_allowed(method: str) -> None:
    said = exchange(asks("/", "Content-Length: 0", method=method) + asks("/b"))
    refused, ok = said.responses
    assert (refused.status, refused.header("Allow")) == (405, "GET, HEAD")
    assert ok.body == b"body of /b"
    assert [asked.path for asked in said.site.asked] == ["/b"]


@pytest.mark.parametrize("target", ["*", "example.org:443"])
def test_targets_of_other_methods(target: str) -> None:
    assert exchange(asks(target, method="OPTIONS")).response.status == 405
    assert exchange(asks(target)).site.asked[0].path == target


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://127.0.0.1:9009/a?b", "/a"),
        ("HTTP://127.0.0.1:9009", "/"),
        ("http://127.0.0.1:9009?b", "/"),
    ],
)
def test_an_absolute_target_names_the_host_itself(target: str, path: str) -> None:
    (asked,) = exchange(asks(target)).site.asked
    assert (asked.path, asked.headers["host"]) == (path, "127.0.0.1:9009")


# The host


@pytest.mark.parametrize(
    "host",
    [
        "", "a b", "user@localhost", "::1", "[::1", "[::1]x", "localhost:port", "localhost:123456",
        "a/b", "localhost, localhost", "http://localhost", "\xe9",
    ],
)  # fmt: skip
def test_a_host_that_is_none_is_refused(host: str) -> None:
    said = exchange(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1"))
    assert said.response.status == 400
    assert said.has_ended


@pytest.mark.parametrize("host", ["localhost", "a.b:80", "[::1]", "[::1]:9009", "a_b", "x:"])
def test_a_host_is_for_the_site_to_judge(host: str) -> None:
    (asked,) = exchange(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).site.asked
    assert asked.headers["host"] == host


def test_no_host_and_two_of_them() -> None:
    assert exchange(b"GET / HTTP/1.1\r\n\r\n").response.status == 400
    assert exchange(b"GET / HTTP/1.2\r\n\r\n").response.status == 400
    assert exchange(asks("/", "Host: localhost")).response.status == 400
    assert exchange(b"GET / HTTP/1.0\r\n\r\n").response.status == 200


# Lengths


def test_a_request_line_has_a_longest_length() -> None:
    longest = "/" + "a" * (8192 - len("GET / HTTP/1.1"))
    assert exchange(asks(longest)).response.status == 200
    for data in (asks(longest + "a"), b"GET /" + b"a" * 70_000):
        assert exchange(data).response.status == 414
        assert exchange(*(bytes([byte]) for byte in data[:9000])).response.status == 414


def test_a_request_line_has_a_longest_length_in_a_later_request_too() -> None:
    said = exchange(asks("/a"), b"GET /", b"a" * 70_000)
    assert [response.status for response in said.responses] == [200, 414]
    assert said.has_ended


def test_headers_have_a_longest_length_together() -> None:
    host = len(b"Host: localhost\r\n")
    longest = "X: " + "a" * (8192 - host - len("X: \r\n"))
    assert exchange(asks("/", longest)).response.status == 200
    many = ["X: y"] * 1400
    for data in (asks("/", longest + "a"), asks("/", *many), asks("/", "X: " + "a" * 70_000)):
        assert exchange(data).response.status == 431
        assert exchange(*(bytes([byte]) for byte in data[:9000])).response.status == 431


# When it ends


@pytest.mark.parametrize(
    "data",
    [
        asks("/a", "Connection: close"),
        asks("/a", "Connection: x, CLOSE"),
        asks("/a", version="1.0"),
        asks("/a", "Connection: keep-alive", version="1.0"),
    ],
)
def test_after_the_last_response_nothing_more_is_read(data: bytes) -> None:
    said = exchange(data + asks("/b"))
    said.feed(asks("/c"))
    assert said.response.body == b"body of /a"
    assert said.response.closes
    assert said.drafts[-1] == Ending(CloseReason.QUIT, "")


def test_each_turn_takes_one_response_of_a_pipeline() -> None:
    said = exchange(asks("/a") * 500)
    assert len(said.responses) == 500
    assert max(map(len, said.groups)) == 1


def test_empty_lines_between_requests_are_passed_over() -> None:
    said = exchange(b"\r\n" + asks("/a") + b"\r\n\r\n" + asks("/b"))
    assert [response.body for response in said.responses] == [b"body of /a", b"body of /b"]


def test_a_request_that_does_not_come_to_its_end_is_given_up() -> None:
    said = exchange(asks("/a")[:-1])
    assert said.session.wait is not None
    assert said.session.wait.seconds == REQUEST_SECONDS
    said.expire()
    assert said.response.status == 408
    assert said.response.closes
    assert said.has_ended


def test_dripping_gains_no_time() -> None:
    said = exchange(asks("/a"), b"G")
    begun = said.session.wait
    said.feed(b"E", b"T", b" /")
    assert said.session.wait is begun
    assert begun is not None
    assert begun.seconds == REQUEST_SECONDS


def test_an_idle_connection_is_closed_without_a_word() -> None:
    said = exchange(asks("/a"))
    idle = said.session.wait
    assert idle is not None
    assert idle.seconds == KEEP_ALIVE_SECONDS
    said.feed(b"\r\n")
    assert said.session.wait is idle
    said.expire()
    assert said.response.status == 200
    assert said.drafts[-1] == Ending(CloseReason.QUIT, "")


def test_without_a_site_there_is_nothing() -> None:
    talk = Exchange()
    talk.session = HttpSession(Visit(RULES))
    talk.feed(asks("/"), asks("/ws", "Upgrade: websocket"), asks("/", method="POST"))
    assert [response.status for response in talk.responses] == [404, 404, 405]
