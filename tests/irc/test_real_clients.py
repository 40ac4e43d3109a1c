"""irssi and WeeChat in a pseudo-terminal, as their users have them, against the real server."""

from __future__ import annotations

from pathlib import Path

from tests.client.terminal.pty_client import PtyClient
from tests.conftest import OpenHouse
from tests.visiting import House

_IRSSI_CONFIG = """
servers = ({{ address = "127.0.0.1"; port = "{port}"; chatnet = "room"; autoconnect = "yes"; }});
chatnets = {{ room = {{ type = "IRC"; nick = "irs"; }}; }};
channels = ({{ name = "#lobby"; chatnet = "room"; autojoin = "yes"; }});
settings = {{ "irc/core" = {{ cmd_queue_speed = "10msec"; }}; }};
"""


class Irssi(PtyClient):
    """See `PtyClient`."""

    command = ("irssi",)

    @classmethod
    def to(cls, house: House, home: Path) -> Irssi:
        (home / "config").write_text(_IRSSI_CONFIG.format(port=house.service.port))
        return cls(f"--home={home}", home=home)


class WeeChat(PtyClient):
    """See `PtyClient`."""

    command = ("weechat",)

    @classmethod
    def to(cls, house: House, home: Path) -> WeeChat:
        return cls(
            f"--dir={home / 'weechat'}",
            f"--run-command=/server add room 127.0.0.1/{house.service.port} -notls -nicks=wee"
            " -autojoin=#lobby",
            "--run-command=/set irc.server_default.anti_flood 0",
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
