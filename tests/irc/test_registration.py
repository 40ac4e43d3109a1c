"""How an IRC client gets a name, and what it may do before it has one."""

from __future__ import annotations

import pytest

from chatroom.event import CloseReason
from tests.conftest import OpenHouse
from tests.irc.speaking import commands, connect, join, register
from tests.visiting import House


async def test_who_registers_is_welcomed_by_the_book_and_is_not_in_the_room_yet(
    house: House,
) -> None:
    bob = await house.enter("bob")
    alice = await connect(house)
    await alice.say("NICK alice", "USER al 0 * :Alice")
    lines = await alice.all()
    assert commands(lines)[:4] == ["001", "002", "003", "004"]
    assert commands(lines)[-3:] == ["375", "372", "376"]
    assert {line.params[0] for line in lines} == {"alice"}
    assert lines[0].text.endswith("alice!~al@chatroom.local")
    tokens = {
        word.partition("=")[0]: word.partition("=")[2]
        for line in lines
        if line.command == "005"
        for word in line.params[1:-1]
    }
    assert tokens["CASEMAPPING"] == "ascii"
    assert tokens["NICKLEN"] == "32"
    assert tokens["CHANTYPES"] == "#"
    assert tokens["LINELEN"] == "512"
    assert tokens["CHATHISTORY"] == "100"
    assert "STATUSMSG" not in tokens  # nobody is told apart
    assert {"UTF8ONLY", "WHOX", "NETWORK", "PREFIX", "TARGMAX", "MSGREFTYPES", "BOT"} <= set(tokens)
    assert "#lobby" in lines[-2].text
    await alice.all()
    await bob.settle()  # which would show a join
    await alice.answer("JOIN #lobby")
    assert await bob.line() == "-- alice joined"


async def test_before_it_has_registered_a_client_may_do_little(house: House) -> None:
    alice = await connect(house)
    lines = await alice.answer("CAP LS 302", "JOIN :", "PRIVMSG #lobby :hi", "FOO")
    assert commands(lines) == ["CAP", "451", "451", "451"]
    assert {line.params[0] for line in lines} == {"*"}


async def test_a_name_that_is_taken_or_invalid_can_be_chosen_again(house: House) -> None:
    await register(house, "alice")
    bob = await connect(house)
    await bob.say("NICK ALICE", "USER b 0 * :Bob")
    assert (await bob.told()).params[:2] == ["*", "ALICE"]
    invalid = await bob.answer("NICK *", "NICK -x", "NICK :", "NICK")
    assert commands(invalid) == ["432", "432", "431", "431"]
    await bob.say("NICK bob")
    assert (await bob.told()).params[0] == "bob"


async def test_a_name_is_held_outside_the_room_and_free_again_after(house: House) -> None:
    alice = await register(house, "alice")
    plain = await house.knock()
    await plain.say("/nick alice")
    assert "nick_taken" in await plain.line()
    await alice.answer("NICK malice")
    await plain.say("/nick alice")
    while "you are now alice" not in await plain.line():
        pass
    await alice.say("QUIT")
    assert commands(await alice.rest()) == ["ERROR"]
    assert commands(await (await register(house, "malice")).all()) == []


async def test_who_asks_for_a_guests_name_gets_one(house: House) -> None:
    alice = await connect(house)
    await alice.say("NICK guest", "USER a 0 * :A")
    assert (await alice.told()).params[0] == "guest1"


async def test_what_a_client_must_say_to_register(house: House) -> None:
    alice = await connect(house)
    lines = await alice.answer("NICK alice", "USER a 0", "USER a 0 * :", "PASS", "PASS secret")
    assert commands(lines) == ["461", "461", "461"]
    assert commands(await alice.answer("USER a 0 * :A"))[0] == "001"
    assert commands(await alice.answer("USER a 0 * :A", "PASS x")) == ["462", "462"]


async def test_negotiation_holds_registration_up_until_its_end(house: House) -> None:
    alice = await connect(house)
    lines = await alice.answer("CAP LS", "NICK alice", "USER a 0 * :A")
    assert commands(lines) == ["CAP"]
    assert "=" not in lines[0].text
    await alice.say("CAP END")
    assert (await alice.told()).command == "001"


async def test_two_who_want_a_name_at_the_same_time_do_not_both_get_it(house: House) -> None:
    first, second = await connect(house), await connect(house)
    await first.say("NICK alice")
    await second.say("NICK alice")
    await first.say("USER a 0 * :A")
    await second.say("USER a 0 * :A")
    assert {(await first.told()).command, (await second.told()).command} == {"001", "433"}


async def test_a_full_room_says_so_and_closes(open_room: OpenHouse) -> None:
    house = await open_room(max_clients=1)
    await register(house, "alice")
    bob = await connect(house)
    await bob.say("NICK bob", "USER b 0 * :B")
    lines = await bob.rest()
    assert commands(lines) == ["NOTICE", "ERROR"]
    assert "room is full" in lines[0].text
    assert house.service.statistics().ended == {CloseReason.KICKED: 1}


async def test_a_rename_is_told_to_all_and_to_oneself_once(house: House) -> None:
    alice, bob = await join(house, "alice"), await join(house, "bob")
    await alice.all()
    assert [line.raw for line in await alice.answer("NICK Alice", "NICK Alice")] == [
        ":alice!~alice@chatroom.local NICK Alice"
    ]
    assert [line.raw for line in await bob.all()] == [":alice!~alice@chatroom.local NICK Alice"]
    assert commands(await bob.answer("NICK alice", "NICK *", "NICK")) == ["433", "432", "431"]


async def test_a_client_that_quits_says_why(house: House) -> None:
    alice, bob = await join(house, "alice"), await house.enter_json("bob")
    carol = await join(house, "carol")
    await alice.all()
    await alice.say("QUIT :qux \x02out\x02")
    assert commands(await alice.rest()) == ["ERROR"]
    assert [line.raw for line in await carol.all()] == [
        ":alice!~alice@chatroom.local QUIT :Quit: qux out"
    ]
    kinds = [await bob.object(), await bob.object()]
    assert [event["kind"] for event in kinds] == ["join", "leave"]
    assert (kinds[1]["reason"], kinds[1]["text"]) == ("quit", "qux out")


@pytest.mark.parametrize(
    "word", ["NICK alice", "USER a 0 * :A", "PASS x", "CAP FOO", "CAP LIST", "CAP END"]
)
async def test_whichever_an_irc_client_says_first_it_is_one(house: House, word: str) -> None:
    alice = await connect(house)
    await alice.say(word)
    assert "451" in commands(await alice.answer("JOIN #lobby"))
