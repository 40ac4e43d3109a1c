"""Who may come in by IRC, as whom, and what operators do there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from chatroom.protocol.irc.operating import room_mask
from chatroom.settings import AccessSettings
from tests.access.conftest import PASSWORD
from tests.irc.speaking import IrcVisitor, commands, connect, join, register

if TYPE_CHECKING:
    from tests.conftest import OpenHouse
    from tests.visiting import House


async def operator(house: House, *caps: str) -> IrcVisitor:
    """Olga, in the room."""
    olga = await connect(house)
    await olga.say(f"PASS :olga:{PASSWORD}", f"CAP REQ :{' '.join(caps)}")
    await olga.say("NICK olga", "USER o 0 * :Olga", "CAP END")
    await olga.until("376")
    await olga.answer("JOIN #lobby")
    return olga


async def test_the_rooms_secret_is_its_password(
    open_room: OpenHouse, secret_room: AccessSettings
) -> None:
    house = await open_room(access=secret_room)
    alice = await connect(house)
    await alice.say("PASS :open sesame", "NICK alice", "USER a 0 * :A")
    assert (await alice.told()).command == "001"
    for said in ([], ["PASS wrong"]):
        bob = await connect(house)
        await bob.say(*said, "NICK bob", "USER b 0 * :B")
        assert commands(await bob.rest()) == ["464", "ERROR"]


async def test_who_logs_in_has_its_accounts_nick_and_role(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    alice = await join(house, "bob", "extended-join", "account-tag", "message-tags")
    olga = await operator(house, "multi-prefix")
    assert [line.raw.partition(" ")[2] for line in await alice.all()][-2:] == [
        ":olga!~o@chatroom.local JOIN #lobby olga :Olga",
        "MODE #lobby +o olga",
    ]
    await olga.answer("PRIVMSG #lobby :hi")
    (line,) = await alice.all()
    assert line.tags["account"] == "olga"
    names, _ = await alice.answer("NAMES #lobby")
    assert names.text == "bob @olga"
    assert [line.params[6] for line in (await alice.answer("WHO #lobby"))[:-1]] == ["H", "H@"]
    whois = await alice.answer("WHOIS olga")
    assert [line.params[2:] for line in whois if line.command in ("319", "330")] == [
        ["@#lobby"],
        ["olga", "is logged in as"],
    ]
    taken = await connect(house)
    await taken.say("NICK Alice", "USER a 0 * :A")
    assert (await taken.told()).command == "433"


async def test_the_topic_is_told_on_entering_and_when_it_changes(house: House) -> None:
    alice, bob = await join(house, "alice"), await house.enter_json("bob")
    await alice.all()
    lines = await alice.answer("TOPIC #lobby :\x02new\x02 things", "TOPIC #lobby")
    assert [line.raw for line in lines[:2]] == [
        ":alice!~alice@chatroom.local TOPIC #lobby :new things",
        ":chatroom.local 332 alice #lobby :new things",
    ]
    assert (await bob.object())["text"] == "new things"
    carol = await register(house, "carol")
    _, topic, whose, *_ = await carol.answer("JOIN #lobby")
    assert topic.params[1:] == ["#lobby", "new things"]
    assert whose.command == "333"
    assert whose.params[1:3] == ["#lobby", "alice"]
    assert abs(int(whose.text) - time.time()) < 60
    assert commands(await alice.answer("TOPIC #lobby"))[-2:] == ["332", "333"]
    await bob.say({"kind": "topic", "text": ""})
    await alice.until("TOPIC")
    assert commands(await alice.answer("TOPIC #lobby")) == ["331"]
    assert commands(await alice.answer("TOPIC #lobby :")) == ["TOPIC"]
    assert commands(await alice.answer("PART #lobby", "TOPIC #lobby :x")) == ["PART", "442"]


async def test_who_is_shown_out_is_told_and_everybody_sees_by_whom(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    olga, alice, bob = await operator(house), await join(house, "a"), await join(house, "b")
    await olga.all()
    await alice.all()
    assert commands(await bob.answer("KICK #lobby a", "TOPIC #lobby :x")) == ["482", "482"]
    lines = await olga.answer("KICK #lobby a :not \x02nice", "KICK #lobby nobody")
    kick = ":olga!~o@chatroom.local KICK #lobby a :not nice"
    assert [line.raw for line in lines] == [
        kick,
        ":chatroom.local 441 olga nobody #lobby :They aren't on that channel",
    ]
    assert [line.raw for line in await bob.all()] == [kick]
    assert [line.raw for line in await alice.rest()] == [
        kick,
        "ERROR :Closing link: (kicked) by olga: not nice",
    ]
    await olga.answer("KICK #lobby b")
    assert (await bob.rest())[0].raw == ":olga!~o@chatroom.local KICK #lobby b :olga"


async def test_bans(open_room: OpenHouse, mixed_room: AccessSettings) -> None:
    house = await open_room(access=mixed_room)
    olga = await operator(house)
    bad = await register(house, "bad")
    lines = await olga.answer("MODE #lobby +b bad!*@*", "MODE #lobby b", "MODE #lobby +b !")
    assert commands(lines) == ["MODE", "367", "368", "696"]
    assert lines[0].params == ["#lobby", "+b", "bad!*@*"]
    assert lines[1].params[2:4] == ["bad!*@*", "olga"]
    assert abs(int(lines[1].text) - time.time()) < 60
    assert commands(await bad.answer("JOIN #lobby", "PRIVMSG #lobby :x", "PART #lobby")) == [
        "474",
        "404",
        "442",
    ]
    await bad.say("QUIT")
    await bad.rest()
    again = await register(house, "bad")
    assert commands(await again.answer("JOIN #lobby")) == ["474"]
    assert commands(await again.answer("NICK good", "JOIN #lobby"))[:2] == ["NICK", "JOIN"]
    assert commands(await again.answer("NICK bad")) == ["437"]
    assert commands(await again.answer("PART #lobby", "NICK bad")) == ["PART", "NICK"]
    assert commands(await again.answer("JOIN #lobby")) == ["474"]
    await olga.all()
    assert commands(await olga.answer("MODE #lobby -b bad")) == ["MODE"]
    assert commands(await again.answer("JOIN #lobby"))[0] == "JOIN"
    assert commands(await again.answer("MODE #lobby b", "MODE #lobby +b x")) == ["368", "482"]
    await olga.answer("PART #lobby")  # from outside even operators see none
    assert commands(await olga.answer("MODE #lobby b", "MODE #lobby +b x")) == ["368", "442"]


async def test_whose_account_is_banned_does_not_even_register(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    olga = await operator(house)
    assert commands(await olga.answer("MODE #lobby +b account:alice")) == ["MODE"]
    alice = await connect(house)
    await alice.say(f"PASS :alice:{PASSWORD}", "NICK alice", "USER a 0 * :A")
    assert commands(await alice.rest()) == ["465", "ERROR"]


async def test_operators_are_not_made_by_mode(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    olga, _, outside = await operator(house), await join(house, "bob"), await register(house, "eve")
    await olga.all()
    answers = {"bob": "482", "eve": "441", "nobody": "401", ":no body": "401"}
    for nick, number in answers.items():
        assert commands(await olga.answer(f"MODE #lobby +o {nick}")) == [number]
    assert commands(await outside.answer("MODE #lobby -o olga")) == ["442"]


async def test_who_is_to_be_silent_is_told_and_can_talk_again(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    olga, bob = await operator(house), await join(house, "bob")
    await olga.all()
    for sign, cannot in (("+", "not talk"), ("-", "talk again")):
        (mode,) = await olga.answer(f"MODE #lobby {sign}b m:bob!*@*")
        assert mode.params == ["#lobby", f"{sign}b", "m:bob!*@*"]
        (told,) = await bob.all()
        assert (told.command, told.text) == ("NOTICE", f"-- you may {cannot}, says olga")
        answer = await bob.answer("PRIVMSG #lobby :hi")
        assert commands(answer) == (["404"] if sign == "+" else [])
    assert commands(await bob.answer("MODE #lobby +b m:olga!*@*")) == ["482"]
    assert commands(await olga.answer("MODE #lobby -b m:bob!*@*", "MODE #lobby +b m:!")) == [
        "PRIVMSG",
        "696",
        "696",
    ]


async def test_modes_are_those_that_hold(
    open_room: OpenHouse, mixed_room: AccessSettings, secret_room: AccessSettings
) -> None:
    for access, listed, modes in (
        (AccessSettings(), "bno bo", ["+n"]),
        (mixed_room, "bmnotv bov", ["+nt"]),
        (secret_room, "bkmnotv bkov", ["+ntk", "*"]),
    ):
        house = await open_room(access=access)
        bob = await connect(house)
        await bob.say("PASS :open sesame" if access is secret_room else "CAP END")
        await bob.say("NICK bob", "USER a 0 * :A")
        assert (await bob.until("004")).raw.endswith(f" B {listed}")
        (told, _) = (await bob.answer("MODE #lobby"))[-2:]
        assert told.params[2:] == modes


async def test_a_password_opens_what_is_open(house: House) -> None:
    for number, password in enumerate(("secret", "alice:secret")):
        client = await connect(house)
        await client.say(f"PASS :{password}", f"NICK alice{number}", "USER a 0 * :A")
        assert (await client.told()).command == "001"


async def test_a_channel_without_anybody_is_none(house: House) -> None:
    alice, bob = await register(house, "alice"), await register(house, "bob")
    lines = await alice.answer("TOPIC #lobby", "TOPIC #lobby :x", "KICK #lobby bob")
    assert commands(lines) == ["403"] * 3
    await bob.answer("JOIN #lobby")
    lines = await alice.answer("TOPIC #lobby", "TOPIC #lobby :x", "KICK #lobby bob")
    assert commands(lines) == ["331", "442", "442"]


async def test_what_is_taken_back_is_not_given_out_any_more(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    caps = "message-tags", "batch", "draft/chathistory", "draft/message-redaction"
    olga, bob = await operator(house, *caps), await join(house, "bob", *caps)
    carol = await join(house, "carol")
    await bob.answer("PRIVMSG #lobby :oops")
    said = (await olga.all())[-1].tags["msgid"]
    await carol.all()
    await bob.all()
    (forbidden,) = await bob.answer(f"REDACT #lobby {said}")
    assert forbidden.params[:2] == ["REDACT", "REDACT_FORBIDDEN"]
    (echo,) = await olga.answer(f"REDACT #lobby {said} :spam")
    assert (echo.command, echo.params) == ("REDACT", ["#lobby", said, "spam"])
    assert [(line.command, line.params[1]) for line in await bob.all()] == [("REDACT", said)]
    assert await carol.all() == []
    assert commands(await bob.answer("CHATHISTORY LATEST #lobby * 10")) == ["BATCH", "BATCH"]
    for unknown in ("x", f"{said}9999", "SESSION-1"):
        (failed,) = await olga.answer(f"REDACT #lobby {unknown}")
        assert failed.params[:2] == ["REDACT", "UNKNOWN_MSGID"]
    assert commands(await carol.answer(f"REDACT #lobby {said}")) == ["421"]


async def test_a_listener_hears_and_is_told_that_it_may_not_talk(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    lily = await connect(house)
    await lily.say(f"PASS :lily:{PASSWORD}", "NICK lily", "USER l 0 * :L", "CAP REQ echo-message")
    await lily.say("CAP END")
    await lily.until("376")
    await lily.answer("JOIN #lobby")
    text = "Cannot send to channel: you may listen, and not talk"
    for caps in ("echo-message", "-echo-message"):
        await lily.answer(f"CAP REQ {caps}")
        (refused,) = await lily.answer("PRIVMSG #lobby :x")
        assert (refused.command, refused.text) == ("404", text)


@pytest.mark.parametrize(
    ("wanted", "mask"),
    [
        ("bob!*@*", "bob"),
        ("bob", "bob"),
        ("*!*@192.0.2.7", "192.0.2.7"),
        ("account:x", "account:x"),
    ],
)
def test_masks_are_the_rooms(wanted: str, mask: str) -> None:
    assert room_mask(wanted) == mask
