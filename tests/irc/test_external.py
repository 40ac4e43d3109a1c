"""Logging in by a certificate that was shown in the TLS handshake (SASL EXTERNAL)."""

from __future__ import annotations

import logging
import socket
import ssl
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from chatroom.event import CloseReason
from chatroom.settings import Access
from chatroom.transport import tls_handshake
from chatroom.transport.client_hello import HEADER_BYTES
from tests.access.conftest import PASSWORD
from tests.certificates import Signed, make_certificate, showing, write_pair
from tests.irc.club import Club, register_certificate
from tests.irc.speaking import IrcVisitor, commands, connect
from tests.irc.test_sasl import plain
from tests.server.tls_visiting import TlsVisitor, knock_with_tls
from tests.visiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatroom.access.file import AccessFile
    from chatroom.settings import AccessSettings
    from tests.conftest import OpenHouse


async def _offered(client: IrcVisitor) -> str:
    """The mechanisms that it is offered."""
    lines = await client.answer("CAP LS 302", "CAP REQ :sasl")
    (offer,) = (word for line in lines for word in line.text.split() if word.startswith("sasl="))
    return offer.removeprefix("sasl=")


async def _log_in(client: IrcVisitor, message: str = "+") -> list[str]:
    lines = await client.answer("AUTHENTICATE EXTERNAL", f"AUTHENTICATE {message}")
    assert lines[0].raw.endswith(" AUTHENTICATE +")
    return commands(lines[1:])


def _named(name: str) -> str:
    return b64encode(name.encode()).decode()


@pytest.mark.parametrize("message", ["+", _named("olga"), _named("OLGA")])
async def test_who_shows_it_gets_its_accounts_nick_and_role(club: Club, message: str) -> None:
    olga = await club.come(club.olga)
    assert await _offered(olga) == "PLAIN,EXTERNAL"
    assert await _log_in(olga, message) == ["900", "903"]
    assert commands(await olga.answer("NICK olga", "USER o 0 * :Olga", "CAP END"))[0] == "001"
    names = [line for line in await olga.answer("JOIN #lobby") if line.command == "353"]
    assert names[0].text == "@olga"
    assert await _log_in(olga, message) == ["900", "903"]  # again, with its nick


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ([_named("alice")], ["904"]),
        ([_named("nobody")], ["904"]),
        ([_named("-")], ["904"]),
        ([plain("", "alice", PASSWORD)], ["904"]),
        ([plain("", "olga", PASSWORD)], ["904"]),
        (["!!!"], ["904"]),
        (["*"], ["906"]),
        (["x" * 401], ["905"]),
        (["*", "SCRAM-SHA-256"], ["906", "908", "904"]),
    ],
)
async def test_what_fails_may_be_tried_again(
    club: Club, said: list[str], answer: list[str]
) -> None:
    olga = await club.come(club.olga)
    await _offered(olga)
    lines = await olga.answer("AUTHENTICATE EXTERNAL", *(f"AUTHENTICATE {word}" for word in said))
    assert commands(lines[1:]) == answer
    if "908" in answer:
        assert lines[2].params[1] == "PLAIN,EXTERNAL"
    assert await _log_in(olga) == ["900", "903"]


async def test_who_shows_it_may_have_another_account_by_its_password(club: Club) -> None:
    client = await club.come(club.olga)
    await _offered(client)
    lines = await client.answer(
        "AUTHENTICATE PLAIN", f"AUTHENTICATE {plain('', 'alice', PASSWORD)}"
    )
    assert commands(lines) == ["AUTHENTICATE", "900", "903"]
    assert lines[1].params[2] == "Alice"


async def test_who_shows_none_is_not_offered_it(club: Club) -> None:
    for client in (await club.come(), await connect(club.house)):
        assert await _offered(client) == "PLAIN"
        lines = await client.answer("AUTHENTICATE EXTERNAL")
        assert commands(lines) == ["908", "904"]
        assert lines[0].params[1] == "PLAIN"


async def test_a_room_for_accounts_only_is_entered_so(
    open_room: OpenHouse, mixed_room: AccessSettings, accounts: AccessFile, tmp_path: Path
) -> None:
    alice = make_certificate("alice")
    register_certificate(accounts, "alice", alice)
    tls = write_pair(tmp_path, make_certificate("localhost"))
    house = await open_room(tls=tls, access=replace(mixed_room, access=Access.ACCOUNTS))
    client = IrcVisitor(await knock_with_tls(house, showing(tmp_path, alice)))
    await client.say("CAP REQ sasl", "AUTHENTICATE EXTERNAL", "AUTHENTICATE +")
    await client.say("NICK alice", "USER a 0 * :A", "CAP END")
    assert (await client.until("001")).params[0] == "alice"
    bare = IrcVisitor(await knock_with_tls(house, showing(tmp_path, alice)))
    await bare.say("NICK bob", "USER b 0 * :B")  # it shows it, and does not log in
    assert commands(await bare.rest()) == ["464", "ERROR"]


async def test_an_account_that_is_banned_stays_outside(club: Club) -> None:
    operator = await club.come(club.olga)
    await _offered(operator)
    await _log_in(operator)
    await operator.answer("NICK olga", "USER o 0 * :O", "CAP END", "JOIN #lobby")
    await operator.answer("MODE #lobby +b account:alice")
    alice = make_certificate("alice")
    register_certificate(club.accounts, "alice", alice)
    await club.house.service.reload()
    client = await club.come(alice)
    assert await _offered(client) == "PLAIN,EXTERNAL"
    await _log_in(client)
    await client.say("NICK alice", "USER a 0 * :A", "CAP END")
    assert commands(await client.rest()) == ["465", "ERROR"]


async def _is_refused(club: Club, signed: Signed) -> bool:
    """Whether the handshake fails. In TLS 1.3 the client has done its part before that."""
    try:
        visitor = await knock_with_tls(club.house, club.showing(signed))
        with trio.fail_after(PATIENCE_SECONDS):
            await visitor.receive()
    except trio.BrokenResourceError as error:
        return "UNKNOWN_CA" in str(error.__cause__)
    return False


async def test_one_that_nobody_has_registered_ends_the_handshake(
    club: Club, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert await _is_refused(club, make_certificate("olga"))
    await club.house.until(lambda: club.house.service.statistics().ended != {})
    assert club.house.service.statistics().ended == {CloseReason.PROTOCOL_ERROR: 1}
    text = "no TLS: a certificate that no account has, or of no use (self-signed certificate)"
    assert text in caplog.text
    assert not any(record.levelno > logging.INFO for record in caplog.records)


async def test_one_that_is_removed_logs_nobody_in(club: Club) -> None:
    olga = await club.come(club.olga)
    assert await _offered(olga) == "PLAIN,EXTERNAL"
    (certificate,) = club.accounts.certificates()
    club.accounts.remove_certificate(certificate.fingerprint)
    assert await _log_in(olga) == ["904"]  # at once
    bob = make_certificate("bob")
    register_certificate(club.accounts, "alice", bob)
    await club.house.service.reload()
    assert await _is_refused(club, club.olga)
    assert await _offered(await club.come(bob)) == "PLAIN,EXTERNAL"
    assert commands(await olga.answer("PING x"))[-1:] == ["PONG"]  # who is here stays


async def test_browsers_are_not_asked(club: Club) -> None:
    stranger = make_certificate("stranger")
    browser = await knock_with_tls(club.house, club.showing(stranger, "h2", "http/1.1"))
    await browser.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert (await browser.rest_bytes()).startswith(b"HTTP/1.1 200 ")
    assert await _offered(await club.come(club.olga, "http/1.1")) == "PLAIN"
    assert await _offered(await club.come(club.olga, "irc")) == "PLAIN,EXTERNAL"


class _Altered(TlsVisitor):
    """Its ClientHello goes out in other pieces than OpenSSL's."""

    def __init__(
        self, tcp: trio.SocketStream, context: ssl.SSLContext, alter: Callable[[bytes], list[bytes]]
    ) -> None:
        super().__init__(tcp, context)
        out = tcp.send_all
        begun = False

        async def send_all(data: bytes) -> None:
            nonlocal begun
            for piece in [data] if begun else alter(data):
                await out(piece)
                await trio.sleep(0.01)
            begun = True

        tcp.send_all = send_all  # type: ignore[method-assign,assignment]


async def _come_altered(club: Club, alter: Callable[[bytes], list[bytes]]) -> IrcVisitor:
    visitor = await club.house.knock()
    return IrcVisitor(_Altered(visitor.stream, club.showing(club.olga), alter))


async def test_a_hello_that_comes_in_pieces_is_looked_at_whole(
    club: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    look = tls_handshake._look

    def count(sock: socket.socket, size_bytes: int) -> bytes:
        looks.append(size_bytes)
        return look(sock, size_bytes)

    monkeypatch.setattr(tls_handshake, "_look", count)

    def cut(hello: bytes) -> list[bytes]:
        return [hello[start:end] for start, end in ((0, 1), (1, 4), (4, 9), (9, 99), (99, None))]

    assert await _offered(await _come_altered(club, cut)) == "PLAIN,EXTERNAL"
    assert len(looks) == 2  # and not at each piece


async def test_who_splits_its_hello_over_records_is_not_asked(club: Club) -> None:
    def split(hello: bytes) -> list[bytes]:
        message = hello[HEADER_BYTES:]
        halves = message[:50], message[50:]
        return [b"".join(hello[:3] + len(half).to_bytes(2) + half for half in halves)]

    assert await _offered(await _come_altered(club, split)) == "PLAIN"


@pytest.mark.parametrize("cut", [1, 5, 100])
async def test_a_hello_that_comes_to_no_end_is_given_up(
    club: Club, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    monkeypatch.setattr(tls_handshake, "HANDSHAKE_SECONDS", 0.1)
    visitor = await club.house.knock()
    await visitor.send(b"\x16\3\1\2\0".ljust(cut, b"x")[:cut])
    assert await visitor.rest() == []
    gone = await club.house.knock()
    await gone.send(b"\x16\3\1\2\0".ljust(cut, b"x")[:cut])
    await gone.stream.send_eof()
    assert await gone.rest() == []
    ended = club.house.service.statistics
    await club.house.until(lambda: sum(ended().ended.values()) == 2)
    assert set(ended().ended) <= {CloseReason.PROTOCOL_ERROR, CloseReason.LOST}
