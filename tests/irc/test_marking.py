"""MARKREAD: how far one has read, for one's other clients."""

from __future__ import annotations

import pytest

from chatroom.server.turn.marks import MOST_TARGETS
from chatroom.settings import AccessSettings
from tests.access.conftest import PASSWORD
from tests.conftest import OpenHouse
from tests.irc.speaking import IrcVisitor, commands, connect, join, register
from tests.visiting import House

CAP = "draft/read-marker"
OLDER, NEWER = "timestamp=2019-01-04T14:33:26.123Z", "timestamp=2019-06-01T12:00:00.000Z"


async def test_it_only_grows_and_is_told_on_entering(house: House) -> None:
    alice = await register(house, "alice", CAP)
    lines = await alice.answer("JOIN #LOBBY")
    assert commands(lines) == ["JOIN", "MARKREAD", "353", "366"]
    assert lines[1].raw == ":chatroom.local MARKREAD #lobby *"
    lines = await alice.answer(
        "MARKREAD #lobby",
        f"MARKREAD #Lobby {NEWER}",
        f"MARKREAD #lobby {OLDER}",
        "PART #lobby",
        "JOIN #lobby",
        "CAP REQ draft/no-implicit-names",
        "PART #lobby",
        "JOIN #lobby",
    )
    marks = [line.params for line in lines if line.command == "MARKREAD"]
    assert marks == [["#lobby", "*"], *[["#lobby", NEWER]] * 4]
    assert commands(lines)[-2:] == ["JOIN", "MARKREAD"]


async def test_a_labelled_join_has_it_too(house: House) -> None:
    alice = await register(house, "alice", CAP, "batch", "labeled-response")
    lines = await alice.answer("@label=x JOIN #lobby")
    assert commands(lines) == ["BATCH", "JOIN", "MARKREAD", "353", "366", "BATCH"]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("MARKREAD", "FAIL MARKREAD NEED_MORE_PARAMS :Missing parameters"),
        ("MARKREAD #lobby *", "FAIL MARKREAD INVALID_PARAMS #lobby * :Invalid timestamp"),
        ("MARKREAD #lobby x", "FAIL MARKREAD INVALID_PARAMS #lobby x :Invalid timestamp"),
        ("MARKREAD :a b", "FAIL MARKREAD INVALID_PARAMS * :Invalid target"),
        ("MARKREAD " + "a" * 65, "FAIL MARKREAD INVALID_PARAMS * :Invalid target"),
        ("MARKREAD #elsewhere", "MARKREAD #elsewhere *"),
        (f"MARKREAD bob {NEWER}", f"MARKREAD bob {NEWER}"),
    ],
)
async def test_what_is_answered(house: House, line: str, answer: str) -> None:
    alice = await join(house, "alice", CAP)
    (told,) = await alice.answer(line)
    assert told.raw == f":chatroom.local {answer}"


async def test_who_has_not_asked_for_it_has_none(house: House) -> None:
    alice = await register(house, "alice")
    assert commands(await alice.answer("JOIN #lobby", "MARKREAD #lobby")) == [
        "JOIN",
        "353",
        "366",
        "421",
    ]


async def test_only_so_much_is_kept(house: House) -> None:
    alice = await join(house, "alice", CAP)
    for number in range(MOST_TARGETS + 1):
        await alice.answer(f"MARKREAD nick{number} {OLDER}")
    first, second = await alice.answer("MARKREAD nick0", "MARKREAD nick1")
    assert (first.text, second.text) == ("*", OLDER)


async def test_an_accounts_connections_tell_each_other(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    desk, phone = await _of_alice(house, "desk"), await _of_alice(house, "phone")
    bob = await join(house, "bob", CAP)
    for client in (desk, phone):
        await client.all()
    await desk.answer(f"MARKREAD #lobby {OLDER}")
    assert [line.raw for line in await phone.all()] == [f":chatroom.local MARKREAD #lobby {OLDER}"]
    assert await bob.all() == []
    await phone.say("QUIT")
    await phone.rest()
    await desk.answer(f"MARKREAD #lobby {NEWER}")
    later = await _of_alice(house, "later")
    assert [line.text for line in await later.answer("MARKREAD #lobby")] == [NEWER]


async def _of_alice(house: House, nick: str) -> IrcVisitor:
    client = await connect(house)
    await client.say(f"PASS :alice:{PASSWORD}", f"CAP REQ {CAP}")
    await client.say(f"NICK {nick}", "USER a 0 * :Alice", "CAP END", "JOIN #lobby")
    await client.until("366")
    return client
