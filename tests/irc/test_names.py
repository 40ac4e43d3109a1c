"""NAMES is true, whoever comes and goes and by which way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.access.conftest import PASSWORD
from tests.irc.speaking import IrcVisitor, connect, join, register

if TYPE_CHECKING:
    from chatroom.settings import AccessSettings
    from tests.conftest import OpenHouse


async def _names(client: IrcVisitor) -> list[str]:
    lines = await client.answer("NAMES #lobby")
    return " ".join(line.text for line in lines if line.command == "353").split()


async def test_it_follows_whoever_comes_and_goes(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    guy = await house.enter("guy")
    eve, eva = await join(house, "eve"), await join(house, "eva", "userhost-in-names")
    outside = await register(house, "outside")
    hosted = ["eva!~eva@chatroom.local", "eve!~eve@chatroom.local", "guy!member@chatroom.local"]
    assert await _names(eva) == hosted
    assert await _names(eve) == ["eva", "eve", "guy"]
    olga = await connect(house)
    await olga.say(f"PASS :olga:{PASSWORD}", "NICK olga", "USER o 0 * :O", "JOIN #lobby")
    await olga.until("366")
    assert await _names(eve) == ["eva", "eve", "guy", "@olga"]
    await olga.answer("PART #lobby")
    assert await _names(eve) == ["eva", "eve", "guy"]
    await guy.say("/nick Abe")
    await guy.settle()
    assert await _names(eve) == ["Abe", "eva", "eve"]
    await olga.answer("JOIN #lobby")
    await guy.say("/quit")
    await guy.rest()
    await olga.answer("NICK zoe", "KICK #lobby eva")
    await eva.rest()
    assert await _names(eve) == ["eve", "@zoe"]
    await outside.say("QUIT")
    await outside.rest()
    assert await _names(eve) == ["eve", "@zoe"]
