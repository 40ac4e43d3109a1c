"""The room as a channel: JOIN, PART, NAMES, LIST, TOPIC, MODE and their like."""

from __future__ import annotations

import pytest

from tests.conftest import OpenHouse
from tests.irc.speaking import commands, join, register
from tests.visiting import House


async def test_who_joins_is_told_who_is_there_and_all_others_of_it(house: House) -> None:
    bob = await house.enter("bob")
    alice = await register(house, "alice")
    lines = await alice.answer("JOIN #nowhere,#LOBBY")
    assert [line.raw for line in lines] == [
        ":chatroom.local 403 alice #nowhere :No such channel",
        ":alice!~alice@chatroom.local JOIN #lobby",
        ":chatroom.local 353 alice = #lobby :alice bob",
        ":chatroom.local 366 alice #lobby :End of /NAMES list",
    ]
    assert await bob.line() == "-- alice joined"
    assert await alice.answer("JOIN #lobby") == []


async def test_who_parts_hears_nothing_and_may_come_back(house: House) -> None:
    alice, carol = await join(house, "alice"), await join(house, "carol")
    bob = await house.enter_json("bob")
    await alice.all()
    await carol.all()
    part = ":alice!~alice@chatroom.local PART #lobby :gone fishing"
    assert [line.raw for line in await alice.answer("PART #lobby :gone fishing")] == [part]
    assert [line.raw for line in await carol.all()] == [part]
    event = await bob.object()
    assert (event["kind"], event["reason"], event["part"]) == ("leave", "quit", True)
    await bob.say({"kind": "message", "text": "secret", "id": "1"})
    assert (await bob.object())["kind"] == "ack"  # it has been said
    assert commands(await alice.answer("PRIVMSG #lobby :x", "PART #lobby")) == ["404", "442"]
    assert commands(await alice.answer("NICK alicia")) == ["NICK"]
    assert commands(await alice.answer("JOIN #lobby"))[:2] == ["JOIN", "353"]
    assert [(line.nick, line.command) for line in await carol.all()] == [
        ("bob", "PRIVMSG"),
        ("alicia", "JOIN"),
    ]
    assert commands(await alice.answer("JOIN 0")) == ["PART"]


async def test_a_long_list_of_names_is_cut_into_lines(open_room: OpenHouse) -> None:
    house = await open_room(presence_limit=0)
    for number in range(40):
        await house.enter_json(f"somebody-with-a-long-name-{number}")
    alice = await join(house, "alice", "userhost-in-names")
    lines = await alice.answer("NAMES #lobby")
    names = [name for line in lines if line.command == "353" for name in line.text.split()]
    assert len(names) == 41
    assert "alice!~alice@chatroom.local" in names
    assert commands(lines).count("353") > 4
    assert lines[-1].command == "366"
    assert commands(await alice.answer("NAMES #nowhere")) == ["366"]


async def test_joins_that_are_not_announced_are_said_to_be(open_room: OpenHouse) -> None:
    house = await open_room(presence_limit=1)
    alice = await join(house, "alice")
    await house.enter("bob")
    assert "joins and leaves are not announced" in (await alice.told()).text
    assert commands(await alice.answer("PART #lobby")) == ["PART"]
    assert commands(await alice.answer("JOIN #lobby"))[0] == "JOIN"


@pytest.mark.parametrize("cap", ["no-implicit-names", "draft/no-implicit-names"])
async def test_names_can_be_left_out(house: House, cap: str) -> None:
    alice = await register(house, "alice", cap)
    assert commands(await alice.answer("JOIN #lobby")) == ["JOIN"]
    assert commands(await alice.answer("NAMES #lobby")) == ["353", "366"]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("LIST", ["321", "322", "323"]),
        ("LIST #lobby", ["321", "322", "323"]),
        ("LIST #nowhere", ["321", "323"]),
        ("LIST >0", ["321", "322", "323"]),
        ("LIST >1", ["321", "323"]),
        ("LIST <2", ["321", "322", "323"]),
        ("LIST <2,>1", ["321", "323"]),
        ("LIST #LO*", ["321", "322", "323"]),
        ("LIST *x*", ["321", "323"]),
        ("LIST !*x*", ["321", "322", "323"]),
        ("LIST !#lobby", ["321", "323"]),
        ("TOPIC #lobby", ["331"]),
        ("TOPIC #lobby :new", ["TOPIC"]),
        ("TOPIC #nowhere", ["403"]),
        ("MODE #lobby", ["324", "329"]),
        ("MODE #lobby b", ["368"]),
        ("MODE #lobby +o alice", ["482"]),
        ("MODE #lobby +n", ["324", "329"]),
        ("MODE #lobby +nt", ["482"]),
        ("MODE #lobby -n", ["482"]),
        ("MODE #lobby +x", ["472"]),
        ("MODE #nowhere", ["403"]),
        ("MODE alice", ["221"]),
        ("MODE alice +i", []),
        ("MODE alice +B", ["MODE"]),
        ("MODE alice +Z", ["501"]),
        ("MODE bob", ["502"]),
        ("MODE", ["461"]),
        ("KICK #lobby alice", ["482"]),
        ("KICK #nowhere alice", ["403"]),
        ("INVITE alice #lobby", ["443"]),
        ("INVITE nobody #lobby", ["401"]),
        ("INVITE nobody #nowhere", ["403"]),
        ("LUSERS", ["251", "252", "254", "255", "265", "266"]),
        ("MOTD", ["375", "372", "376"]),
        ("TIME", ["391"]),
        ("VERSION", ["351", "005", "005"]),
        ("INFO", ["371", "371", "374"]),
        ("INFO chat*", ["371", "371", "374"]),
        ("INFO alice", ["371", "371", "374"]),
        ("INFO elsewhere.example", ["402"]),
        ("TIME elsewhere.example", ["402"]),
        ("LUSERS * elsewhere.example", ["402"]),
        ("ADMIN", ["256", "257", "258", "259"]),
        ("HELP", ["704", "705", "706"]),
        ("HELP privmsg", ["704", "705", "706"]),
        ("HELP nothing", ["524"]),
        ("LINKS", ["364", "365"]),
        ("OPER a b", ["491"]),
        ("KILL alice", ["481"]),
        ("FOO", ["421"]),
        ("PART #nowhere", ["403"]),
        ("PING", ["461"]),
        ("JOIN", ["461"]),
        ("JOIN lobby", ["403"]),
        (":alice!a@b LUSERS", ["251", "252", "254", "255", "265", "266"]),
        ("  ", []),
    ],
)
async def test_what_is_answered(house: House, line: str, answer: list[str]) -> None:
    alice = await join(house, "alice")
    assert commands(await alice.answer(line)) == answer


async def test_lines_that_are_too_long_or_not_utf_8_are_refused(house: House) -> None:
    alice = await join(house, "alice")
    assert commands(await alice.answer("PING " + 505 * "x"))[:1] == ["PONG"]
    assert commands(await alice.answer("PING " + 506 * "x")) == ["417"]
    assert commands(await alice.answer(f"@+a={4091 * 'x'} TAGMSG #lobby")) == ["421"]
    assert commands(await alice.answer(f"@+a={4092 * 'x'} TAGMSG #lobby")) == ["417"]
    await alice.visitor.send(b"PRIVMSG #lobby :\xff\r\n")
    failed = await alice.told()
    assert (failed.command, failed.params[:2]) == ("FAIL", ["PRIVMSG", "INVALID_UTF8"])


async def test_a_line_without_an_end_closes(house: House) -> None:
    alice = await join(house, "alice")
    await alice.visitor.send(b"x" * 10_000)
    assert commands(await alice.rest()) == ["ERROR"]


async def test_a_room_with_a_strange_name_is_a_channel_too(open_room: OpenHouse) -> None:
    house = await open_room(room="the, room")
    alice = await register(house, "alice")
    assert commands(await alice.answer("JOIN #the__room"))[0] == "JOIN"


async def test_users_are_counted_when_they_have_a_name_and_listed_when_they_are_inside(
    house: House,
) -> None:
    alice = await register(house, "alice")
    assert (await alice.answer("LUSERS"))[0].text.startswith("There are 1 users")
    assert commands(await alice.answer("LIST")) == ["321", "323"]
    bob = await register(house, "bob")
    await bob.answer("JOIN #lobby")
    assert (await alice.answer("LUSERS"))[0].text.startswith("There are 2 users")
    assert (await alice.answer("LIST"))[1].params == ["alice", "#lobby", "1", ""]
    await bob.say("QUIT")
    await bob.rest()
    assert (await alice.answer("LUSERS"))[0].text.startswith("There are 1 users")
