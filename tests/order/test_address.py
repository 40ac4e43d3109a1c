"""Where the log is kept, as a user writes it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chatroom.errors import ChatroomError
from chatroom.order.address import RedisAddress, parse_address
from chatroom.order.opening import open_store

_HERE = (("127.0.0.1", 6379),)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://127.0.0.1", RedisAddress(_HERE)),
        ("redis://127.0.0.1:6379/0", RedisAddress(_HERE)),
        ("redis://[::1]:7000/3", RedisAddress((("::1", 7000),), db=3)),
        (
            "rediss://room:p%40ss@127.0.0.1?ca=/etc/ca.pem",
            RedisAddress(_HERE, tls=True, ca_file="/etc/ca.pem", username="room", password="p@ss"),
        ),
        ("unix:///run/redis.sock?db=2", RedisAddress(path="/run/redis.sock", db=2)),
        (
            "redis+sentinel://one,two:7001/main/4",
            RedisAddress((("one", 26379), ("two", 7001)), service="main", db=4),
        ),
    ],
)
def test_every_form_is_read(url: str, address: RedisAddress) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:6379",
        "http://127.0.0.1",
        "redis://",
        "redis://one,two",
        "redis://127.0.0.1:port",
        "redis://127.0.0.1/lobby",
        "unix://",
        "redis+sentinel://one",
        "redis://[::1",
    ],
)
def test_what_is_no_address_is_refused_with_what_one_is(url: str) -> None:
    with pytest.raises(ChatroomError, match="--cluster is redis://"):
        parse_address(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1", "127.0.0.1:6379"),
        ("unix:///run/redis.sock", "/run/redis.sock"),
        ("redis+sentinel://one,two:7001/main/4", "main of one:26379,two:7001"),
    ],
)
def test_it_is_shown_as_where_it_is(url: str, shown: str) -> None:
    assert str(parse_address(url)) == shown


def test_a_password_is_never_shown() -> None:
    address = parse_address("redis://room:secret@127.0.0.1")
    assert "secret" not in f"{address} {address!r} {[address]}"
    with pytest.raises(ChatroomError) as refused:
        parse_address("redis://room:secret@127.0.0.1:port")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["redis://127.0.0.1?db=3", "redis://127.0.0.1?ca=file", "unix:///run/redis.sock?base=1"],
)
def test_an_option_that_there_is_not_is_said(url: str) -> None:
    with pytest.raises(ChatroomError, match="is no option there"):
        parse_address(url)


def test_the_password_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("secret\nsecond line\n")
    assert parse_address("redis://room@127.0.0.1", file).password == "secret"
    with pytest.raises(ChatroomError, match=r"cannot read the password from .*: No such file"):
        parse_address("redis://127.0.0.1", tmp_path / "nothing")
    file.write_bytes(b"\xff")
    with pytest.raises(ChatroomError, match="it is no text"):
        parse_address("redis://127.0.0.1", file)


def test_without_the_extra_one_is_told_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chatroom.order.redis", None)
    with pytest.raises(ChatroomError, match=r"pip install 'chatroom\[cluster\]'"):
        open_store("redis://127.0.0.1", "lobby")
