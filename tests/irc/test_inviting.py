"""INVITE: who has a name and is outside is asked in."""

from __future__ import annotations

from chatroom.settings import AccessSettings
from tests.access.conftest import PASSWORD
from tests.conftest import OpenHouse
from tests.irc.speaking import commands, connect, join, register
from tests.visiting import House


async def test_who_is_outside_is_asked_in(house: House) -> None:
    alice, bob = await join(house, "alice"), await register(house, "bob")
    carol, dora = await join(house, "carol"), await join(house, "dora", "invite-notify")
    for member in (alice, carol):
        await member.all()
    (invited,) = await alice.answer("INVITE BOB #lobby")
    assert (invited.command, invited.params) == ("341", ["alice", "bob", "#lobby"])
    told = ":alice!~alice@chatroom.local INVITE bob #lobby"
    assert [line.raw for line in await bob.all()] == [told]
    assert [line.raw for line in await dora.all()] == [told]
    assert await carol.all() == []
    await bob.answer("JOIN #lobby")


async def test_who_is_not_outside_or_not_there_cannot_be(house: House) -> None:
    alice, bob = await join(house, "alice"), await join(house, "bob", "labeled-response", "batch")
    await house.enter("guy")
    await alice.all()
    lines = await alice.answer("INVITE bob #lobby", "INVITE guy #lobby", "INVITE nobody #lobby")
    assert [(line.command, line.params[1]) for line in lines] == [
        ("443", "bob"),
        ("443", "guy"),
        ("401", "nobody"),
    ]
    await bob.all()
    (refused,) = await bob.answer("@label=x INVITE nobody #lobby")
    assert (refused.command, refused.tags) == ("401", {"label": "x"})
    assert commands(await bob.answer("PART #lobby", "INVITE alice #lobby")) == ["PART", "442"]


async def test_it_is_said_who_asks(open_room: OpenHouse, mixed_room: AccessSettings) -> None:
    house = await open_room(access=mixed_room)
    bob = await register(house, "bob", "account-tag")
    olga = await connect(house)
    await olga.say(f"PASS :olga:{PASSWORD}", "NICK olga", "USER o 0 * :O", "JOIN #lobby")
    await olga.answer("INVITE bob #lobby")
    (invited,) = await bob.all()
    assert (invited.command, invited.tags) == ("INVITE", {"account": "olga"})
    lily = await connect(house)
    await lily.say(f"PASS :lily:{PASSWORD}", "NICK lily", "USER l 0 * :L", "JOIN #lobby")
    await lily.until("366")
    assert commands(await lily.answer("INVITE bob #lobby")) == ["482"]  # she may only listen
    assert await bob.all() == []
