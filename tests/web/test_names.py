"""By which names the server may be asked, and whose scripts may come in."""

from __future__ import annotations

import socket

import pytest

from chatroom.errors import ChatroomError
from chatroom.web.names import Names

NAMES = Names(hosts=("Chat.Example.org",), origins=("https://Chat.Example.org", "http://dev:8080/"))


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST:9009", "localhost.", "localhost.:9009", "127.0.0.1",
        "127.0.0.1:9009", "192.168.7.8:80", "[::1]", "[::1]:9009", "[fe80::1]:1",
        "chat.example.org", "CHAT.example.org:443", socket.gethostname(),
        socket.gethostname() + ":9009", socket.gethostname().partition(".")[0] + ".local",
    ],
)  # fmt: skip
def test_own_names(host: str) -> None:
    assert NAMES.is_own(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:9009", "localhost.evil.example", "evil-localhost",
        "127.0.0.1.evil.example", "127.0.0.1.nip.io", "example.org", "x.chat.example.org", "",
        ":9009", "[evil]", "2130706433", "0x7f.1", "127.1", "0",
    ],
)  # fmt: skip
def test_names_that_somebody_else_may_have_led_here(host: str) -> None:
    assert not NAMES.is_own(host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:9009", "localhost:9009"),
        ("HTTP://LocalHost:9009", "localhost:9009"),
        ("http://localhost", "localhost"),
        ("http://localhost", "localhost:80"),
        ("http://localhost:80", "localhost"),
        ("https://localhost", "localhost"),
        ("https://localhost", "localhost:443"),
        ("http://[::1]:9009", "[::1]:9009"),
        ("http://127.0.0.1:9009", "127.0.0.1:9009"),
        ("https://chat.example.org", "127.0.0.1:9009"),
        ("http://dev:8080", "localhost:9009"),
    ],
)
def test_origins_that_may_come_in(origin: str, host: str) -> None:
    assert NAMES.lets_in(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:9010", "localhost:9009"),
        ("http://localhost", "localhost:9009"),
        ("http://localhost:9009", "localhost"),
        ("http://127.0.0.1:9009", "localhost:9009"),
        ("http://evil.example", "localhost:9009"),
        ("http://evil.example:9009", "localhost:9009"),
        ("http://localhost:9009.evil.example", "localhost:9009"),
        ("http://user@localhost:9009", "localhost:9009"),
        ("null", "localhost:9009"),
        ("", "localhost:9009"),
        ("", ""),
        ("://", ""),
        ("file://", "localhost"),
        ("ftp://localhost:9009", "localhost:9009"),
        ("chrome-extension://localhost:9009", "localhost:9009"),
        ("localhost:9009", "localhost:9009"),
        ("http://localhost:9009, http://localhost:9009", "localhost:9009"),
        ("http://chat.example.org", "127.0.0.1:9009"),
        ("https://chat.example.org:8443", "127.0.0.1:9009"),
        ("http://localhost", "localhost:443"),
    ],
)
def test_origins_that_may_not(origin: str, host: str) -> None:
    assert not NAMES.lets_in(origin, host)


def test_a_name_may_be_given_with_a_port() -> None:
    assert Names(hosts=("Chat.Example.org:9009",)).is_own("chat.example.org")


def test_an_origin_that_could_never_match_is_refused_at_the_start() -> None:
    with pytest.raises(ChatroomError, match=r"chat\.example\.org is no origin"):
        Names(origins=("chat.example.org",))
