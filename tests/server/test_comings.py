"""A crowd from one address: some are announced at once, the others when they may."""

from __future__ import annotations

import pytest

from chatroom.access.buckets import Buckets
from chatroom.server.turn import comings
from chatroom.settings import AddressSettings
from tests.conftest import OpenHouse
from tests.irc.speaking import IrcVisitor
from tests.server.strangers import ANOTHER, STRANGER, come_from_afar
from tests.visiting import Visitor

ANY_NUMBER = AddressSettings(connections=0, new_per_minute=0)


@pytest.fixture(autouse=True)
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    come_from_afar(monkeypatch)
    # Two at once, and one in a tenth of a second: the test does not wait for ten a second.
    monkeypatch.setattr(comings, "Buckets", lambda *_: Buckets(10, 2))
    monkeypatch.setattr(comings, "_LOOK_SECONDS", 0.05)


async def _enter(knocked: Visitor, nick: str) -> Visitor:
    await knocked.say(f"/nick {nick}")
    assert f"you are {nick} " in await knocked.line()
    return knocked


async def test_a_crowd_is_announced_in_time_and_who_went_again_never(open_room: OpenHouse) -> None:
    house = await open_room(address=ANY_NUMBER)
    witness = await house.enter_json("witness")
    crowd = [await _enter(await house.knock(source=STRANGER), f"n{n}") for n in range(5)]
    await crowd[4].say("/quit")
    await _enter(await house.knock(source=ANOTHER), "other")
    joined = {(await witness.object())["nick"] for _ in range(5)}
    assert joined == {"n0", "n1", "n2", "n3", "other"}
    for number in (0, 3):
        await crowd[number].say("/quit")
        event = await witness.object()
        assert (event["kind"], event["nick"]) == ("leave", f"n{number}")
    await witness.say({"kind": "who"})
    assert (await witness.object())["members"] == ["n1", "n2", "other", "witness"]


async def test_nobody_is_told_of_itself(open_room: OpenHouse) -> None:
    house = await open_room(address=ANY_NUMBER)
    witness = await house.enter("witness")
    crowd = [await _enter(await house.knock(source=STRANGER), f"n{n}") for n in range(4)]
    assert await witness.lines(4) == [f"-- n{n} joined" for n in range(4)]
    await crowd[3].settle()
    await witness.say("hello")
    assert (await crowd[3].line()) == "witness: hello"


async def test_joining_and_parting_by_irc_is_no_flood_for_others(open_room: OpenHouse) -> None:
    house = await open_room(address=ANY_NUMBER)
    witness = await house.enter("witness")
    client = IrcVisitor(await house.knock(source=STRANGER))
    await client.say("NICK ann", "USER ann 0 * :Ann")
    await client.until("376")
    for _ in range(50):
        await client.say("JOIN #lobby", "PART #lobby")
    await client.all()
    await witness.say("/ping")
    heard = []
    while (line := await witness.line()) != "-- pong":
        heard.append(line)
    assert heard[:2] == ["-- ann joined", "-- ann left (quit)"]
    assert heard[0::2] == ["-- ann joined"] * (len(heard) // 2)
    assert heard[1::2] == ["-- ann left (quit)"] * (len(heard) // 2)
    assert len(heard) < 40
    await client.say("JOIN #lobby")
    assert await witness.line() == "-- ann joined"


async def test_this_machine_is_announced_always(open_room: OpenHouse) -> None:
    house = await open_room()
    witness = await house.enter("witness")
    for number in range(20):
        await house.enter(f"n{number}")
    assert await witness.lines(20) == [f"-- n{number} joined" for number in range(20)]
