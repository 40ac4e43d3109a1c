"""irssi and WeeChat in a pseudo-terminal, as their users have them, against the real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatroom.access.accounts import Account
from chatroom.room.role import Role
from tests.certificates import make_certificate
from tests.client.terminal.pty_client import PtyClient
from tests.conftest import OpenHouse
from tests.irc.club import Club, register_certificate
from tests.visiting import House

_IRSSI_CONFIG = """
servers = ({{
  address = "127.0.0.1"; port = "{port}"; chatnet = "room"; autoconnect = "yes"; {server}
}});
chatnets = {{ room = {{ type = "IRC"; nick = "irs"; {chatnet} }}; }};
channels = ({{ name = "#lobby"; chatnet = "room"; autojoin = "yes"; }});
settings = {{ "irc/core" = {{ cmd_queue_speed = "10msec"; cmds_max_at_once = "100"; }}; }};
"""


class Irssi(PtyClient):
    """See `PtyClient`."""

    command = ("irssi",)

    @classmethod
    def to(cls, house: House, home: Path, pem: Path | None = None) -> Irssi:
        """With `pem`, a certificate and its key, under TLS, and logged in by that."""
        server = chatnet = ""
        if pem is not None:
            server = f'use_tls = "yes"; tls_verify = "no"; tls_cert = "{pem}";'
            chatnet = 'sasl_mechanism = "external";'
        config = _IRSSI_CONFIG.format(port=house.service.port, server=server, chatnet=chatnet)
        (home / "config").write_text(config)
        return cls(f"--home={home}", home=home)


class WeeChat(PtyClient):
    """See `PtyClient`."""

    command = ("weechat",)

    @classmethod
    def to(cls, house: House, home: Path, pem: Path | None = None) -> WeeChat:
        """As `Irssi.to`."""
        tls = "-notls"
        if pem is not None:
            # Its options were called ssl before version 4; what it does not know it passes over.
            ways = (f"-{tls} -{tls}_verify=off -{tls}_cert={pem}" for tls in ("tls", "ssl"))
            tls = f"{' '.join(ways)} -sasl_mechanism=external"
        return cls(
            f"--dir={home / 'weechat'}",
            f"--run-command=/server add room 127.0.0.1/{house.service.port} {tls} -nicks=wee"
            " -autojoin=#lobby",
            # The first is what version 4 has in place of the second.
            "--run-command=/set irc.server_default.anti_flood 0",
            "--run-command=/set irc.server_default.anti_flood_prio_high 0",
            "--run-command=/connect room",
            home=home,
            columns=120,
        )


async def test_irssi(house: House, tmp_path: Path) -> None:
    bob = await house.enter("bob")
    await bob.say("before", "/me waits")
    with Irssi.to(house, tmp_path) as client:
        assert await bob.line() == "-- irs joined"
        client.type("/window goto #lobby\r")
        await client.until_shown("irs [~")
        await client.until_shown("[ bob] [ irs]")
        await client.until_shown("bob: before")
        await client.until_shown("* bob waits")
        await bob.say("hi \x1b[2J irs", "/me waves", "gr\u00fc\u00dfe " * 100, "/nick rob")
        await client.until_shown("< bob> hi \ufffd[2J irs")
        await client.until_shown("* bob waves")
        await client.until_shown("bob is now known as rob")
        assert await bob.line() == "-- you are now rob"
        client.type("hello, \u65e5\u672c\r")
        assert await bob.line() == "irs: hello, \u65e5\u672c"
        client.type("/me nods\r")
        assert await bob.line() == "* irs nods"
        client.type("/nick is2\r")
        assert await bob.line() == "-- irs is now is2"
        client.type("/topic x\r")
        await client.until_shown("is2 changed the topic of #lobby to: x")
        assert await bob.line() == "-- is2 set the topic: x"
        client.type("/part going\r")
        assert await bob.line() == "-- is2 left (quit: going)"
        client.type("/join #lobby\r")
        assert await bob.line() == "-- is2 joined"
        client.type("/quit ta ta\r")
        assert await bob.line() == "-- is2 left (quit: ta ta)"


async def test_weechat(open_room: OpenHouse, tmp_path: Path) -> None:
    house = await open_room()
    bob = await house.enter("bob")
    with WeeChat.to(house, tmp_path) as client:
        assert await bob.line() == "-- wee joined"
        await client.until_shown("has joined #lobby")
        await bob.say("hi wee", "/me waves")
        await client.until_shown("bob | hi wee")
        await client.until_shown("* | bob waves")
        # One by one: what comes in one go would be a paste, which it asks about.
        client.type("hello, \u65e5\u672c\r")
        assert await bob.line() == "wee: hello, \u65e5\u672c"
        client.type("/me nods\r")
        assert await bob.line() == "* wee nods"
        client.type("/nick wee2\r")
        assert await bob.line() == "-- wee is now wee2"
        await client.until_shown("You are now known as wee2")
        client.type("/quit ta ta\r")
        assert await bob.line() == "-- wee2 left (quit: ta ta)"


@pytest.mark.parametrize(
    ("client", "nick", "shown"),
    [(Irssi, "irs", "End of /MOTD"), (WeeChat, "wee", "has joined #lobby")],
)
async def test_they_log_in_by_their_certificate(
    club: Club,
    tmp_path: Path,
    client: type[Irssi | WeeChat],
    nick: str,
    shown: str,
) -> None:
    signed = make_certificate(nick)
    pem = tmp_path / "client.pem"
    pem.write_bytes(signed.key_pem() + signed.pem)
    club.accounts.put(Account(nick, nick, Role.OPERATOR, "no password"))
    register_certificate(club.accounts, nick, signed)
    await club.house.service.reload()
    bob = await club.house.enter("bob")
    with client.to(club.house, tmp_path, pem) as real:
        await real.until_shown(shown)
        assert await bob.line() == f"-- {nick} joined"
        real.type("/topic #lobby cats\r")  # which is for operators
        assert await bob.line() == f"-- {nick} set the topic: cats"
