"""IRC under TLS is the same IRC."""

from __future__ import annotations

from pathlib import Path

from tests.certificates import make_certificate, write_pair
from tests.conftest import OpenHouse
from tests.irc.speaking import IrcVisitor, commands, connect
from tests.server.tls_visiting import knock_with_tls


async def test_clients_are_told_to_come_under_tls_where_the_room_says_so(
    open_room: OpenHouse, tmp_path: Path
) -> None:
    tls = write_pair(tmp_path, make_certificate("localhost"))
    house = await open_room(tls=tls, irc_sts_seconds=600)
    plain, visitor = await connect(house), await knock_with_tls(house)
    for client, policy in (
        (plain, f"sts=port={house.service.port},duration=600"),
        (IrcVisitor(visitor), "sts=duration=600"),
    ):
        old, *new = await client.answer("CAP LS", "CAP LS 302")
        assert "sts" not in old.text
        assert policy in " ".join(line.text for line in new).split()
        refused, caps = await client.answer("CAP REQ sts", "CAP LIST")
        assert refused.params[1:] == ["NAK", "sts"]
        assert "sts" not in caps.text
    await visitor.tls.aclose()
    for settings in ({"tls": tls}, {"irc_sts_seconds": 600}):
        client = await connect(await open_room(**settings))
        assert "sts" not in " ".join(line.text for line in await client.answer("CAP LS 302"))


async def test_a_conversation_under_tls(open_room: OpenHouse, tmp_path: Path) -> None:
    house = await open_room(tls=write_pair(tmp_path, make_certificate("localhost")))
    bob = await house.enter("bob")
    visitor = await knock_with_tls(house)
    alice = IrcVisitor(visitor)
    await alice.say("NICK alice", "USER a 0 * :A")
    await alice.until("376")
    assert commands(await alice.answer("JOIN #lobby", "PRIVMSG #lobby :hi")) == [
        "JOIN",
        "353",
        "366",
    ]
    assert await bob.lines(2) == ["-- alice joined", "alice: hi"]
    await bob.say("hello")
    assert (await alice.told()).raw == ":bob!member@chatroom.local PRIVMSG #lobby :hello"
    await alice.say("QUIT")
    assert commands(await alice.rest()) == ["ERROR"]
    await visitor.tls.aclose()
