"""MODE +m and +v: who may talk while not everybody may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.access.conftest import PASSWORD
from tests.irc.speaking import IrcVisitor, commands, connect, join

if TYPE_CHECKING:
    from chatroom.settings import AccessSettings
    from tests.conftest import OpenHouse
    from tests.visiting import House


async def _operator(house: House, *caps: str) -> IrcVisitor:
    olga = await connect(house)
    await olga.say(f"PASS :olga:{PASSWORD}", f"CAP REQ :{' '.join(caps)}", "NICK olga")
    await olga.say("USER o 0 * :O", "CAP END", "JOIN #lobby")
    await olga.until("366")
    return olga


async def test_only_who_has_voice_may_talk(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    olga = await _operator(house, "multi-prefix")
    bob, guy = await join(house, "bob"), await house.enter("guy")
    await olga.all()
    await bob.all()
    moderated = ":olga!~o@chatroom.local MODE #lobby +m"
    assert [line.raw for line in await olga.answer("MODE #lobby +m")] == [moderated]
    assert [line.raw for line in await bob.all()] == [moderated]
    assert await guy.line() == "-- olga says: only who has voice may talk"
    (refused,) = await bob.answer("PRIVMSG #lobby :may I")
    assert (refused.command, refused.text.endswith("only who has voice may talk")) == ("404", True)
    assert (await olga.answer("MODE #lobby"))[0].params[2:] == ["+ntm"]
    await olga.answer("PRIVMSG #lobby :I may", "MODE #lobby +v bob", "MODE #lobby +v olga")
    assert await guy.line() == "olga: I may"
    told = await bob.answer("PRIVMSG #lobby :thanks", "NICK bobby", "PRIVMSG #lobby :still")
    assert [line.raw for line in told if line.command == "MODE"] == [
        ":chatroom.local MODE #lobby +v bob",
        ":chatroom.local MODE #lobby +v olga",
    ]
    assert "404" not in commands(told)
    assert await guy.lines(3) == ["bob: thanks", "-- bob is now bobby", "bobby: still"]
    for client, names in ((bob, "+bobby guy @olga"), (olga, "+bobby guy @+olga")):
        lines = await client.answer("NAMES #lobby")
        assert [line.text for line in lines if line.command == "353"] == [names]
    assert [line.params[6] for line in (await olga.answer("WHO olga"))[:-1]] == ["H@+"]
    await olga.answer("MODE #lobby -v bobby")
    assert "404" in commands(await bob.answer("PRIVMSG #lobby :no more"))
    await olga.answer("MODE #lobby -m")
    assert "404" not in commands(await bob.answer("PRIVMSG #lobby :free"))
    assert await guy.lines(2) == ["-- olga says: everybody may talk", "bobby: free"]


async def test_a_voice_goes_with_its_member(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    olga = await house.enter_json(account="olga", password=PASSWORD)
    bob, guy = await join(house, "bob"), await house.enter("guy")
    await olga.say({"kind": "voice", "nick": "bob", "id": "v"}, {"kind": "moderate", "id": "m"})
    await olga.say({"kind": "voice", "nick": "guy"}, {"kind": "moderate", "id": "again"})
    assert await guy.lines(2) == [
        "-- olga says: only who has voice may talk",
        "-- you have voice, says olga",
    ]
    answers = [await olga.object() for _ in range(5)]
    assert [(one["kind"], one["id"]) for one in answers if "id" in one] == [
        ("done", "v"),
        ("done", "m"),
        ("error", "again"),
    ]
    assert "404" not in commands(await bob.answer("PRIVMSG #lobby :hi", "PART #lobby"))
    assert "404" in commands(await bob.answer("JOIN #lobby", "PRIVMSG #lobby :hi"))
    await guy.say("hello")
    await guy.say("/unvoice bob")
    lines = await guy.lines(4)
    assert lines[-1] == "-- that is for operators (not_operator)"
    assert "bob: hi" in lines


async def test_who_is_muted_does_not_talk_by_going(
    open_room: OpenHouse, mixed_room: AccessSettings
) -> None:
    house = await open_room(access=mixed_room)
    olga = await house.enter_json(account="olga", password=PASSWORD)
    bob, guy = await join(house, "bob"), await house.enter("guy")
    await olga.say({"kind": "mute", "nick": "bob", "id": "m"})
    await bob.until("NOTICE")
    await bob.say("PART #lobby :abuse", "JOIN #lobby", "QUIT :abuse")
    assert await guy.lines(3) == ["-- bob left (quit)", "-- bob joined", "-- bob left (quit)"]


async def test_what_cannot_be(open_room: OpenHouse, mixed_room: AccessSettings) -> None:
    house = await open_room(access=mixed_room)
    olga, bob = await _operator(house), await join(house, "bob")
    await olga.all()
    lines = await olga.answer("MODE #lobby +v nobody", "MODE #lobby +v", "MODE #lobby -m")
    assert commands(lines) == ["441", "696", "NOTICE"]
    lines = await bob.answer("MODE #lobby +v bob", "MODE #lobby +m", "MODE #lobby +mv bob")
    assert commands(lines) == ["482"] * 3
