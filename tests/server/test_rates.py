"""How fast one may talk, in a running room: a push is slowed down, nothing of it is lost, and who
never stops is closed.

Real sockets, so real time: the rates are chosen so that a second tells everything.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import pytest
import trio

from chatroom.event import CloseReason
from chatroom.settings import AccessSettings, RateSettings
from tests.conftest import OpenHouse
from tests.irc.speaking import IrcVisitor, join
from tests.server.test_figures import _scrape
from tests.visiting import PATIENCE_SECONDS, House, Visitor
from tests.web.sockets import enter_socket

#: A tenth of a second for a paste of 30 lines.
QUICK = RateSettings(talk_per_second=200, talk_burst=10)

#: The same for one of 105; and only who pauses for two seconds may have so many at once again.
DEEP = RateSettings(talk_per_second=50, talk_burst=100)

#: Whoever is held back here is held back for longer than any test takes.
SLOW = RateSettings(talk_per_second=0.1, talk_burst=2)

SLOWED = "-- you are slowed down to 200 messages a second; nothing is lost"


def _numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


async def _heard(reader: Visitor, who: str, count: int) -> list[str]:
    """The texts of the next messages, to a plain reader."""
    texts: list[str] = []
    while len(texts) < count:
        nick, colon, text = (await reader.line()).partition(": ")
        if colon and nick == who:
            texts.append(text)
    return texts


async def test_a_paste_that_ends_the_connection_is_heard_whole(open_room: OpenHouse) -> None:
    """As `seq 50 | nc` is: nothing is lost, in order, and its talker leaves in good order."""
    house = await open_room(rates=QUICK)
    reader = await house.enter("reader")
    paster = await house.enter("paster")
    before = trio.current_time()
    await paster.say(*_numbers(50))
    await paster.stream.send_eof()
    assert await _heard(reader, "paster", 50) == _numbers(50)
    assert await reader.line() == "-- paster left (quit)"
    assert trio.current_time() - before > 0.15  # 40 of them at 200 a second
    *told, bye = await paster.rest()
    # Once a spell: a server that is kept from running may find the bucket full again.
    assert set(told) == {SLOWED}
    assert bye == "-- bye (quit): see you"


async def test_one_is_told_once_in_the_words_of_ones_format(open_room: OpenHouse) -> None:
    house = await open_room(rates=DEEP)
    reader = await house.enter("reader")
    program = await house.enter_json("program", presence=False)
    await program.say(*({"kind": "message", "text": text} for text in _numbers(115)))
    assert await program.object() == {"kind": "slowed", "rate": 50}
    assert await _heard(reader, "program", 115) == _numbers(115)

    socket = await enter_socket(house, "socket", presence=False)
    await socket.say(*({"kind": "message", "text": text} for text in _numbers(115)))
    assert await socket.object() == {"kind": "slowed", "rate": 50}
    assert await _heard(reader, "socket", 115) == _numbers(115)

    irc = await join(house, "irc")
    await irc.say(*(f"PRIVMSG #lobby :{text}" for text in _numbers(115)))
    told = await _told_irc(irc)
    assert told == [SLOWED.replace("200", "50")]
    assert await _heard(reader, "irc", 115) == _numbers(115)

    await program.say({"kind": "ping"})
    others = [await program.object()]
    while others[-1]["kind"] != "pong":
        others.append(await program.object())
    assert "slowed" not in {other["kind"] for other in others}


async def _told_irc(irc: IrcVisitor) -> list[str]:
    return [line.text for line in await irc.all() if line.command == "NOTICE"]


async def test_others_are_heard_at_once_beside_a_flood(open_room: OpenHouse) -> None:
    house = await open_room(rates=SLOW)
    reader = await house.enter("reader")
    flooder = await house.enter("flooder")
    await flooder.say(*_numbers(5000))
    assert await _heard(reader, "flooder", 2) == ["0", "1"]
    other = await house.enter("other")
    await other.say("hello")
    assert await _heard(reader, "other", 1) == ["hello"]
    assert house.service.statistics().held_back == 1


@pytest.mark.parametrize("way", ["plain", "ws"])
async def test_who_pushes_without_end_is_closed_for_it(open_room: OpenHouse, way: str) -> None:
    rates = RateSettings(talk_per_second=100, talk_burst=5, patience_seconds=0.3)
    house = await open_room(rates=rates)
    reader = await house.enter("reader")
    lines = [{"kind": "message", "text": "x"}] * 400
    async with trio.open_nursery() as nursery:
        if way == "plain":
            flooder = await house.enter("flooder")
            nursery.start_soon(flooder.say, *["x"] * 400)
            assert (await flooder.rest())[-1] == (
                "-- bye (flood): you have pushed for more than 0.3 seconds"
            )
        else:
            socket = await enter_socket(house, "flooder")
            nursery.start_soon(_say_all, socket, lines)
            said, closed = await socket.rest()
            assert (said[-1]["kind"], said[-1]["reason"]) == ("bye", "flood")
            assert closed.code == 4429
    while (line := await reader.line()) != "-- flooder left (flood)":
        assert line.startswith(("flooder: x", "-- flooder joined")), line
    assert house.service.statistics().ended == {CloseReason.FLOOD: 1}


async def _say_all(socket: Any, lines: list[dict[str, str]]) -> None:
    with contextlib.suppress(trio.BrokenResourceError):
        for line in lines:
            await socket.say(line)


async def test_who_waits_for_each_ack_is_slowed_down_but_never_closed(
    open_room: OpenHouse,
) -> None:
    rates = RateSettings(talk_per_second=100, talk_burst=5, patience_seconds=0.2)
    house = await open_room(rates=rates)
    program = await house.enter_json("program")
    slowed = 0
    for number in range(60):
        await program.say({"kind": "message", "text": "x", "id": str(number)})
        while (answer := await program.object())["kind"] == "slowed":
            slowed += 1
        assert answer == {"kind": "ack", "id": str(number), "seq": 2 + number}
    # Once a spell; on a busy machine the bucket may be full again in between.
    assert slowed >= 1
    assert not house.service.statistics().ended


async def test_questions_and_renames_have_limits_of_their_own(open_room: OpenHouse) -> None:
    house = await open_room(rates=SLOW)
    asker = await house.enter("asker")
    await asker.say("one", "two", *["/ping"] * 190)
    assert await asker.lines(190) == ["-- pong"] * 190
    await asker.say(*(f"/nick n{number}" for number in range(6)))
    assert await asker.lines(6) == [
        *(f"-- you are now n{number}" for number in range(5)),
        "-- you are slowed down to one of your renames in 10 seconds; nothing is lost",
    ]
    other = await house.enter("other")
    await other.say(*["/no-such-thing"] * 204)  # what is refused is a question too
    lines = await other.lines(205)
    assert len([line for line in lines if "unknown_kind" in line]) == 204
    assert "-- you are slowed down to 50 queries a second; nothing is lost" in lines[195:]


async def test_who_is_held_back_can_be_shown_out_and_reset(open_room: OpenHouse) -> None:
    house = await open_room(rates=SLOW)
    reader = await house.enter("reader")
    held = await house.enter("held")
    _, welcome = await house.welcome("held-too", presence=False)
    await held.say(*_numbers(300))
    held_too, welcome = await house.welcome("held-too", token=welcome["token"], presence=False)
    await held_too.say(*({"kind": "message", "text": text} for text in _numbers(300)))
    await house.until(lambda: house.service.statistics().held_back == 2)
    # Its owner takes the nick back: the connection is ended while it is held.
    with trio.fail_after(PATIENCE_SECONDS):
        _, again = await house.welcome("held-too", token=welcome["token"])
        assert again["nick"] == "held-too"
        assert (await held_too.rest())[-1].startswith('{"kind":"bye","reason":"replaced"')
    held.reset()
    assert house.service.statistics().held_back <= 1
    await reader.aclose()


async def test_a_drain_ends_in_time_and_what_was_held_back_is_in_the_history(
    open_room: OpenHouse, nursery: trio.Nursery
) -> None:
    house = await open_room(rates=SLOW)
    reader = await house.enter("reader")
    held = await house.enter("held")
    await held.say(*_numbers(20))
    await house.until(lambda: house.service.statistics().held_back == 1)
    with trio.fail_after(3):
        house.service.drain()
        lines = await reader.rest()
        assert (await held.rest())[-1].startswith("-- bye (shutdown)")
    assert lines[-1].startswith("-- bye (shutdown)")
    said = [event.text for event in house.journal.recent.after(0, 100) if event.kind == "message"]
    assert said == _numbers(20)


async def test_the_figures_tell_of_it(open_room: OpenHouse) -> None:
    house = await open_room(rates=SLOW)
    held = await house.enter("held")
    await held.say(*_numbers(20))
    await house.until(lambda: house.service.statistics().held_back == 1)
    text = await _scrape(house)
    assert re.search(r'^chatroom_slowed_total\{of="messages"\} 1\.0$', text, re.MULTILINE)
    assert re.search(r"^chatroom_held_back_connections 1\.0$", text, re.MULTILINE)


async def test_with_everybody_trusted_nothing_waits(house: House) -> None:
    reader = await house.enter("reader")
    paster = await house.enter("paster")
    await paster.say(*_numbers(2000), *(f"/nick n{number}" for number in range(50)))
    assert await _heard(reader, "paster", 2000) == _numbers(2000)
    assert [await reader.line() for _ in range(50)][-1] == "-- n48 is now n49"
    assert not any(house.service.statistics().slowed.values())


async def test_who_may_not_come_in_yet_is_limited_too(open_room: OpenHouse, tmp_path: Any) -> None:
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n")
    secret.chmod(0o600)
    access = AccessSettings(access="secret", secret_file=str(secret))  # type: ignore[arg-type]
    house = await open_room(rates=SLOW, access=access)
    stranger = await house.knock()
    await stranger.say(*_numbers(20))
    lines = await stranger.lines(4)
    assert (
        lines[-1] == "-- you are slowed down to one of your messages in 10 seconds; nothing is lost"
    )
    assert json.dumps(lines).count("login_needed") == 3
