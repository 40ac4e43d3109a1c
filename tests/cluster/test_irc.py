"""What IRC clients are told of who is on another server of the room."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import trio

from chatroom.protocol.requests import Request
from chatroom.settings import Access, AccessSettings
from tests.access.conftest import PASSWORD

if TYPE_CHECKING:
    from chatroom.access.file import AccessFile
    from tests.cluster.conftest import ClusterHouse, OpenServer
    from tests.visiting import Visitor


async def irc(house: ClusterHouse, nick: str) -> Visitor:
    """In the channel, and told all of it."""
    visitor = await house.knock()
    await visitor.say(f"NICK {nick}", f"USER {nick} 0 * :{nick}", "JOIN #lobby")
    await until(visitor, " 366 ")
    return visitor


async def until(visitor: Visitor, word: str) -> str:
    with trio.fail_after(30):
        while word not in (line := await visitor.line()):
            pass
    return line


async def names(visitor: Visitor) -> set[str]:
    await visitor.say("NAMES #lobby")
    line = await until(visitor, " 353 ")
    await until(visitor, " 366 ")
    return set(line.rpartition(":")[2].split())


async def test_a_list_of_names_has_those_of_all_servers(open_server: OpenServer) -> None:
    a, b = await open_server("a"), await open_server("b")
    alice = await a.enter_json("alice")
    ivo = await irc(b, "ivo")
    assert await names(ivo) == {"alice", "ivo"}
    bob = await a.enter_json("bob")
    await until(ivo, ":bob!")
    assert await names(ivo) == {"alice", "bob", "ivo"}
    await alice.say({"kind": "rename", "to": "carol"})
    await until(ivo, " NICK ")
    assert await names(ivo) == {"carol", "bob", "ivo"}
    await bob.aclose()
    await until(ivo, " QUIT ")
    assert await names(ivo) == {"carol", "ivo"}


async def test_voice_and_moderation_are_of_the_whole_room(open_server: OpenServer) -> None:
    a, b = await open_server("a"), await open_server("b")
    alice = await a.enter_json("alice")
    ivo = await irc(b, "ivo")
    ask(a, Request("moderate"))
    assert "+m" in await until(ivo, " MODE ")
    ask(b, Request("voice", nick="alice"))
    assert "+v alice" in await until(ivo, " MODE ")
    assert await names(ivo) == {"+alice", "ivo"}
    await ivo.say("PRIVMSG #lobby :may I?")
    assert " 404 " in await until(ivo, " 404 ")
    await alice.say({"kind": "message", "text": "I may"})
    assert "I may" in await until(ivo, " PRIVMSG ")
    later = await open_server("c")
    lea = await irc(later, "lea")
    assert await names(lea) == {"+alice", "ivo", "lea"}
    await lea.say("MODE #lobby")
    assert "m" in (await until(lea, " 324 ")).partition("#lobby ")[2]


async def test_a_log_in_later_is_told_on_all_servers(
    open_server: OpenServer, accounts: AccessFile
) -> None:
    mixed_room = AccessSettings(access=Access.MIXED, accounts_file=accounts.path)
    a, b = await open_server("a", access=mixed_room), await open_server("b", access=mixed_room)
    ivo, eve = await irc(b, "ivo"), await a.knock()
    await eve.say("CAP REQ :sasl", "NICK eve", "USER eve 0 * :eve", "CAP END")
    await until(eve, " 376 ")
    message = b64encode(f"\0olga\0{PASSWORD}".encode()).decode()
    await eve.say("AUTHENTICATE PLAIN", f"AUTHENTICATE {message}")
    await until(eve, " 903 ")
    await eve.say("JOIN #lobby")
    assert "+o eve" in await until(ivo, " MODE ")
    message = b64encode(f"\0alice\0{PASSWORD}".encode()).decode()
    await eve.say("AUTHENTICATE PLAIN", f"AUTHENTICATE {message}")
    assert "-o eve" in await until(ivo, " MODE ")
    assert await names(ivo) == {"eve", "ivo"}


def ask(house: ClusterHouse, request: Request) -> None:
    parts = house.service._parts
    assert parts is not None
    parts.dispatcher.administer(request, lambda outcome: None)
