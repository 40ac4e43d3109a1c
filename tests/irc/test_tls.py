"""IRC under TLS is the same IRC."""

from __future__ import annotations

from pathlib import Path

from tests.certificates import make_certificate, write_pair
from tests.conftest import OpenHouse
from tests.irc.speaking import IrcVisitor, commands
from tests.server.tls_visiting import knock_with_tls


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
