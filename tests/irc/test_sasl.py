"""Logging in by SASL PLAIN, before one has a name or after."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from chatroom.settings import Access
from tests.access.conftest import PASSWORD
from tests.irc.speaking import IrcVisitor, commands, connect, join, register

if TYPE_CHECKING:
    from chatroom.settings import AccessSettings
    from tests.conftest import OpenHouse
    from tests.visiting import House


def plain(*parts: str) -> str:
    return b64encode("\0".join(parts).encode()).decode()


async def _begun(house: House) -> IrcVisitor:
    client = await connect(house)
    lines = await client.answer("CAP LS 302", "CAP REQ :sasl", "AUTHENTICATE PLAIN")
    assert "sasl=PLAIN" in " ".join(line.text for line in lines)
    assert lines[-1].raw.endswith(" AUTHENTICATE +")
    return client


async def test_who_has_logged_in_gets_its_nick_and_role(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    olga = await _begun(house)
    lines = await olga.answer("NICK olga", f"AUTHENTICATE {plain('', 'OLGA', PASSWORD)}")
    assert commands(lines) == ["900", "903"]
    assert lines[0].params[2] == "olga"
    assert commands(await olga.answer("USER o 0 * :Olga", "CAP END"))[0] == "001"
    names = [line for line in await olga.answer("JOIN #lobby") if line.command == "353"]
    assert names[0].text == "@olga"


async def _logs_in(client: IrcVisitor, account: str, password: str = PASSWORD) -> list[str]:
    message = plain("", account, password)
    return commands(await client.answer("AUTHENTICATE PLAIN", f"AUTHENTICATE {message}"))[1:]


async def test_who_has_a_name_logs_in_under_it_before_it_is_in_the_room(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    ada = await join(house, "ada", "account-notify")
    eve = await register(house, "eve", "sasl")
    lines = await eve.answer("AUTHENTICATE PLAIN", f"AUTHENTICATE {plain('', 'olga', PASSWORD)}")
    assert commands(lines) == ["AUTHENTICATE", "900", "903"]
    assert lines[1].params[:3] == ["eve", "eve!~eve@chatroom.local", "olga"]
    assert await ada.all() == []  # it concerns nobody yet
    names = [line for line in await eve.answer("JOIN #lobby") if line.command == "353"]
    assert names[0].text == "ada @eve"
    assert [line.raw for line in await ada.all()] == [
        ":eve!~eve@chatroom.local JOIN #lobby",
        ":chatroom.local MODE #lobby +o eve",
    ]


async def test_who_is_in_the_room_logs_in_and_keeps_its_nick(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    ada = await join(house, "ada", "account-notify")
    eve = await join(house, "eve", "sasl")
    await ada.all()
    assert set(await _logs_in(eve, "olga")) == {"900", "903", "MODE"}
    assert [line.raw for line in await ada.all()] == [
        ":eve!~eve@chatroom.local ACCOUNT olga",
        ":chatroom.local MODE #lobby +o eve",
    ]
    assert commands(await eve.answer("TOPIC #lobby :hers")) == ["TOPIC"]


async def test_who_has_logged_in_may_log_in_to_another_account(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    ada = await join(house, "ada", "account-notify")
    eve = await join(house, "eve", "sasl")
    await _logs_in(eve, "olga")
    assert await _logs_in(eve, "alice", "wrong") == ["904"]
    assert commands(await eve.answer("TOPIC #lobby :hers")) == ["TOPIC"]  # she is olga still
    await ada.all()
    await _logs_in(eve, "alice")
    assert [line.raw for line in await ada.all()] == [
        ":eve!~eve@chatroom.local ACCOUNT Alice",
        ":chatroom.local MODE #lobby -o eve",
    ]
    assert commands(await eve.answer("TOPIC #lobby :hers")) == ["482"]


async def test_nobody_logs_in_to_a_banned_account(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    olga = await join(house, "olly", "sasl")
    await _logs_in(olga, "olga")
    await olga.answer("MODE #lobby +b account:alice")
    eve = await join(house, "eve", "sasl")
    assert await _logs_in(eve, "alice") == ["904"]
    assert commands(await eve.answer("PRIVMSG #lobby :still here")) == []


async def test_a_room_for_accounts_only_is_entered_so(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=replace(mixed_room, access=Access.ACCOUNTS))
    alice = await _begun(house)
    await alice.answer(f"AUTHENTICATE {plain('alice', 'alice', PASSWORD)}")
    await alice.say("NICK Alice", "USER a 0 * :A", "CAP END")
    assert (await alice.told()).command == "001"
    bob = await connect(house)
    await bob.say("NICK bob", "USER b 0 * :B")
    assert commands(await bob.rest()) == ["464", "ERROR"]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ([plain("", "olga", "wrong")], ["904"]),
        ([plain("", "nobody", PASSWORD)], ["904"]),
        ([plain("alice", "olga", PASSWORD)], ["904"]),
        ([plain("olga", PASSWORD)], ["904"]),
        (["!!!"], ["904"]),
        (["+"], ["904"]),
        (["*"], ["906"]),
        (["x" * 401], ["905"]),
        (["x" * 400] * 5, ["905"]),
        (["*", "AUTHENTICATE EXTERNAL"], ["906", "908", "904"]),
    ],
)
async def test_what_fails_may_be_tried_again(
    open_room: OpenHouse, mixed_room: AccessSettings, said: list[str], answer: list[str]
) -> None:
    house = await open_room(access=mixed_room)
    olga = await _begun(house)
    lines = [word if " " in word else f"AUTHENTICATE {word}" for word in said]
    assert commands(await olga.answer(*lines)) == answer
    again = plain("", "olga", PASSWORD)
    assert commands(await olga.answer("AUTHENTICATE PLAIN", f"AUTHENTICATE {again}")) == [
        "AUTHENTICATE",
        "900",
        "903",
    ]


async def test_a_long_message_comes_in_pieces(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    olga = await _begun(house)
    message = plain("", "olga", "x" * 293)  # 400 characters, so that `+` ends it
    assert len(message) == 400
    assert commands(await olga.answer(f"AUTHENTICATE {message}")) == []
    assert commands(await olga.answer("AUTHENTICATE +")) == ["904"]


async def test_where_there_are_no_accounts_nothing_is_offered(house: House) -> None:
    alice = await connect(house)
    lines = await alice.answer("CAP LS 302", "CAP REQ sasl", "AUTHENTICATE PLAIN")
    assert "sasl" not in lines[0].text
    assert commands(lines) == ["CAP", "CAP", "421"]
    assert lines[1].params[1] == "NAK"
