"""Capabilities: how they are negotiated, and what each changes."""

from __future__ import annotations

from tests.irc.speaking import commands, connect, join
from tests.visiting import House


async def test_negotiation(house: House) -> None:
    alice = await connect(house)
    old, new = await alice.answer("CAP LS", "CAP LS 302")
    assert old.params[:2] == ["*", "LS"]
    assert "=" not in old.text
    assert "draft/multiline=max-bytes=" in new.text
    assert set(old.text.split()) == {cap.partition("=")[0] for cap in new.text.split()}
    lines = await alice.answer(
        "CAP LIST",
        "CAP REQ :foo multi-prefix bar",
        "CAP REQ :multi-prefix server-time",
        "CAP LIST",
        "CAP REQ :-server-time",
        "CAP LIST",
        "CAP REQ :-cap-notify",
        "CAP FOO",
    )
    assert [line.params for line in lines] == [
        ["*", "LIST", "cap-notify"],
        ["*", "NAK", "foo multi-prefix bar"],
        ["*", "ACK", "multi-prefix server-time"],
        ["*", "LIST", "cap-notify multi-prefix server-time"],
        ["*", "ACK", "-server-time"],
        ["*", "LIST", "cap-notify multi-prefix"],
        ["*", "NAK", "-cap-notify"],
        ["*", "FOO", "Invalid CAP command"],
    ]


async def test_what_changes_in_the_middle_of_the_talk_holds_from_there_on(house: House) -> None:
    alice, bob = await join(house, "alice"), await join(house, "bob")
    await alice.all()
    await bob.answer("PRIVMSG #lobby :1")
    await alice.say("CAP REQ server-time")
    await alice.all()
    await bob.answer("PRIVMSG #lobby :2")
    await alice.say("CAP REQ -server-time")
    told = await alice.all()
    await bob.answer("PRIVMSG #lobby :3")
    told += await alice.all()
    said = [line for line in told if line.command == "PRIVMSG"]
    assert [(line.text, list(line.tags)) for line in said] == [("2", ["time"]), ("3", [])]


async def test_times_and_ids_are_those_of_the_event(house: House) -> None:
    alice = await join(house, "alice", "server-time", "message-tags")
    bob, welcome = await house.welcome("bob", echo=True)
    await bob.say({"kind": "message", "text": "hi"})
    event = await bob.object()
    *_, line = await alice.all()
    assert line.tags == {
        "time": f"{event['time'][:23]}Z",
        "msgid": f"{welcome['session']}-{event['seq']}",
    }


async def test_an_echo_comes_in_its_place_and_only_to_those_who_want_it(house: House) -> None:
    alice = await join(house, "alice", "echo-message", "message-tags")
    bob = await join(house, "bob", "message-tags")
    await alice.all()
    await bob.answer("PRIVMSG #lobby :1")
    lines = await alice.answer("PRIVMSG #lobby :2", "PING x", "PRIVMSG #lobby :3")
    assert [line.text for line in lines] == ["1", "2", "x", "3"]
    assert {line.tags["msgid"] for line in lines if line.text in "23"} == {
        line.tags["msgid"] for line in await bob.all()
    }


async def test_labels(house: House) -> None:
    alice = await join(house, "alice", "echo-message", "batch", "labeled-response")
    lines = await alice.answer(
        "@label=1 PRIVMSG #lobby :hi",
        "@label=2 PONG",
        "@label=3 FOO",
        "@label=4 PING x",
        "@label=5 MOTD",
        "@label=6 NICK alice",
        "@label=7 NICK al",
        "@label=8 WHOIS nobody",
    )
    labels = [line.tags.get("label", "") for line in lines]
    assert labels == ["1", "2", "3", "4", "5", "", "", "", "", "6", "7", "8", "", "", ""]
    assert commands(lines) == [
        *("PRIVMSG", "ACK", "421", "PONG"),
        *("BATCH", "375", "372", "376", "BATCH"),
        *("ACK", "NICK"),
        *("BATCH", "401", "318", "BATCH"),
    ]
    batch = lines[4].params[0].removeprefix("+")
    assert [line.tags.get("batch") for line in lines[5:8]] == [batch] * 3
    assert lines[8].params == [f"-{batch}"]


async def test_the_lines_of_a_long_labelled_list_are_all_in_its_batch(house: House) -> None:
    alice = await join(house, "alice", "batch", "labeled-response")
    for number in range(20):
        await house.enter(f"somebody-with-a-long-name-{number}")
    await alice.all()
    lines = await alice.answer("@label=x NAMES #lobby")
    assert commands(lines) == ["BATCH", "353", "353", "353", "366", "BATCH"]
    assert len({line.tags["batch"] for line in lines[1:-1]}) == 1


async def test_a_labelled_join_is_one_batch_and_reaches_nobody_else(house: House) -> None:
    alice, bob = await join(house, "alice", "message-tags"), await join(house, "bob")
    await alice.all()
    await bob.answer("PART #lobby", "CAP REQ :batch labeled-response")
    lines = await bob.answer("@label=a\\:b JOIN #lobby,#x")
    assert lines[0].tags["label"] == "a;b"
    assert commands(lines) == ["BATCH", "JOIN", "353", "366", "403", "BATCH"]
    assert {line.tags["batch"] for line in lines[1:-1]} == {lines[0].params[0][1:]}
    assert all("label" not in line.tags for line in await alice.all())


async def test_without_an_echo_a_labelled_message_is_acknowledged(house: House) -> None:
    alice = await join(house, "alice", "batch", "labeled-response")
    (line,) = await alice.answer("@label=1 PRIVMSG #lobby :hi")
    assert (line.command, line.tags) == ("ACK", {"label": "1"})
    (line,) = await alice.answer("@label=1 PRIVMSG #lobby,#lobby :hi")
    assert (line.command, line.tags) == ("ACK", {"label": "1"})
    lines = await alice.answer("@label=1 PRIVMSG #lobby,#nowhere,nobody :hi")
    assert commands(lines) == ["BATCH", "403", "401", "BATCH"]


async def test_who_asks_for_it_hears_that_the_disk_has_what_it_said(house: House) -> None:
    alice = await join(house, "alice", "chatroom/stored", "echo-message", "message-tags")
    await alice.say("PRIVMSG #lobby :hi")
    echo, note = await alice.told(), await alice.told()
    assert echo.command == "PRIVMSG"
    assert (note.command, note.params[:3]) == (
        "NOTE",
        ["PRIVMSG", "STORED", echo.tags["msgid"]],
    )
