"""Who is here, and what they say of themselves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.access.conftest import PASSWORD
from tests.irc.speaking import commands, connect, join, register
from tests.visiting import House

if TYPE_CHECKING:
    from chatroom.settings import AccessSettings
    from tests.conftest import OpenHouse


async def test_who(house: House) -> None:
    alice = await join(house, "alice")
    await house.enter("bob")
    gone = await join(house, "gone")
    outside = await register(house, "outside")
    await gone.answer("AWAY :lunch", "MODE gone +B")
    await alice.all()
    everybody = [
        "alice #lobby ~alice chatroom.local chatroom.local alice H :0 Alice Real",
        "alice #lobby member chatroom.local chatroom.local bob H :0 bob",
        "alice #lobby ~gone chatroom.local chatroom.local gone GB :0 Gone Real",
    ]
    for mask in ("#LOBBY", "*"):
        *lines, end = await alice.answer(f"WHO {mask}")
        assert [line.raw.removeprefix(":chatroom.local 352 ") for line in lines] == everybody
        assert end.params[:2] == ["alice", mask]
    one, end = await alice.answer("WHO OUTSIDE")
    assert one.params[1:6] == ["*", "~outside", "chatroom.local", "chatroom.local", "outside"]
    for pattern in ("go*", "G?ne", "*ne"):
        assert [line.params[5] for line in (await alice.answer(f"WHO {pattern}"))[:-1]] == ["gone"]
    assert commands(await alice.answer("WHO [a-z]*", "WHO " + "*a" * 90)) == ["315", "315"]
    assert commands(await alice.answer("WHO nobody", "WHO #x")) == ["315", "315"]
    assert await outside.all() == []


async def test_a_list_of_many_is_told_page_by_page_and_once(house: House) -> None:
    names = [f"m{number:03}" for number in range(150)]
    for name in names:
        await house.enter_json(name, presence=False)
    alice = await join(house, "alice")
    for mask, found in (("*", ["alice", *names]), ("m??[5]", []), ("*5", names[5::10])):
        *lines, end = await alice.answer(f"WHO {mask}")
        assert [line.params[5] for line in lines] == found
        assert end.command == "315"


async def test_a_user_name_is_made_fit_for_a_mask(house: House) -> None:
    alice = await connect(house)
    await alice.answer("NICK alice", "USER a\u00e9!@{[b 0 * :\x02Alice\x02")
    await alice.all()
    assert (await alice.answer("WHOIS alice"))[0].params[2:] == [
        "~ab",
        "chatroom.local",
        "*",
        "Alice",
    ]


async def test_whox_gives_the_fields_in_its_own_order(house: House) -> None:
    alice = await join(house, "alice")
    for fields in ("tcuihsnfdlaor", "roaldfnshiuct"):
        line, _ = await alice.answer(f"WHO alice %{fields},123")
        assert line.raw == (
            ":chatroom.local 354 alice 123 #lobby ~alice 255.255.255.255 chatroom.local"
            " chatroom.local alice H 0 0 0 n/a :Alice Real"
        )
    assert (await alice.answer("WHO alice %tn,42"))[0].params == ["alice", "42", "alice"]


async def test_whois(house: House) -> None:
    alice = await join(house, "alice")
    bot = await register(house, "bot")
    await bot.answer("AWAY :lunch", "MODE bot +B")
    assert commands(await alice.answer("WHOIS alice")) == ["311", "319", "312", "317", "318"]
    told = await alice.answer("WHOIS x BOT")
    assert commands(told) == ["311", "312", "301", "335", "317", "318"]
    _, nick, idle, since, _ = told[-2].params
    assert (nick, int(idle) < 60, abs(int(since) - time.time()) < 60) == ("bot", True, True)
    for unknown in ("WHOIS nobody", "WHOIS *"):
        assert commands(await alice.answer(unknown)) == ["401", "318"]
    assert commands(await alice.answer("WHOIS", "WHOWAS", "WHOWAS x")) == [
        "431",
        "431",
        "406",
        "369",
    ]


async def test_whowas_tells_of_those_who_have_gone_the_latest_first(house: House) -> None:
    alice = await join(house, "alice")
    for user in ("first", "second"):
        gone = await connect(house)
        await gone.say("NICK gone", f"USER {user} 0 * :Real Name", "QUIT")
        await gone.rest()
    renamed = await register(house, "before")
    await renamed.answer("NICK after")
    second, first = (
        f":chatroom.local 314 alice gone ~{user} chatroom.local * :Real Name"
        for user in ("second", "first")
    )
    for line, told in (
        ("gone", [second, first]),
        ("GONE 1", [second]),
        ("gone -1", [second, first]),
        ("gone 0", [second, first]),
        ("g?n*", [second, first]),
    ):
        *lines, end = await alice.answer(f"WHOWAS {line}")
        assert [line.raw for line in lines[::2]] == told
        assert {line.command for line in lines[1::2]} == {"312"}
        assert (end.command, end.params[1]) == ("369", line.split()[0])
    assert commands(await alice.answer("WHOWAS before", "WHOWAS after")) == [
        *["314", "312", "369"],
        *["406", "369"],
    ]


async def test_whowas_tells_of_those_who_came_another_way(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    eve = await join(house, "eve")
    olga = await house.knock()
    await olga.say(f"/login olga {PASSWORD}", "/quit")
    await olga.rest()
    await eve.all()
    told, *_ = await eve.answer("WHOWAS olga")
    assert told.raw == ":chatroom.local 314 eve olga member chatroom.local * olga"


async def test_ison_and_userhost(house: House) -> None:
    alice = await join(house, "alice")
    bob = await register(house, "bob")
    await bob.answer("AWAY :lunch")
    ison, userhost = await alice.answer("ISON alice nobody :bob carol", "USERHOST alice bob x")
    assert ison.text == "alice bob"
    assert userhost.text == "alice=+~alice@chatroom.local bob=-~bob@chatroom.local"
    assert commands(await alice.answer("ISON", "USERHOST")) == ["461", "461"]


async def test_who_wants_to_know_hears_who_is_away_and_who_changes_its_name(house: House) -> None:
    alice = await join(house, "alice", "away-notify", "setname", "extended-join")
    carol = await join(house, "carol")
    await alice.all()
    bob = await register(house, "bob", "setname")
    await bob.answer("AWAY :early")
    lines = await bob.answer("JOIN #lobby", "AWAY :lunch", "AWAY", "SETNAME :New Name", "SETNAME :")
    assert commands(lines)[-4:] == ["306", "305", "SETNAME", "FAIL"]
    bobs = ":bob!~bob@chatroom.local"
    assert [line.raw for line in await alice.all()] == [
        f"{bobs} JOIN #lobby * :Bob Real",
        f"{bobs} AWAY :early",
        f"{bobs} AWAY :lunch",
        f"{bobs} AWAY",
        f"{bobs} SETNAME :New Name",
    ]
    assert [line.raw for line in await carol.all()] == [f"{bobs} JOIN #lobby"]
    assert (await carol.answer("WHOIS bob"))[0].text == "New Name"


async def test_who_is_away_before_it_has_registered(house: House) -> None:
    alice = await join(house, "alice")
    bob = await register(house, "bob")
    assert commands(await bob.answer("AWAY :x")) == ["306"]
    assert "301" in commands(await alice.answer("WHOIS bob"))


async def test_what_a_bot_says_is_marked(house: House) -> None:
    alice, bot = await join(house, "alice", "message-tags"), await join(house, "bot")
    await alice.all()
    assert [line.raw for line in await bot.answer("MODE bot +B")] == [
        ":bot!~bot@chatroom.local MODE bot +B"
    ]
    await bot.answer("PRIVMSG #lobby :beep", "MODE bot -B", "PRIVMSG #lobby :boop")
    first, second = await alice.all()
    assert "bot" in first.tags
    assert "bot" not in second.tags
