"""One order for everybody, whichever way they came in; and what fuzzed lines do to a live room."""

from __future__ import annotations

import random
import re

import pytest
import trio

from tests.irc.speaking import IrcVisitor, commands, join
from tests.protocol.irc.fuzz import fuzzed_line
from tests.visiting import House, Visitor

_SAID = re.compile(rb"(?:: |:|\"text\":\")(w\d+-\d+)")


async def _hear(visitor: Visitor, end: bytes) -> list[bytes]:
    """All words that are said up to the end."""
    words = []
    while True:
        found = _SAID.search(await visitor.line_bytes())
        if found is not None:
            words.append(found[1])
            if found[1] == end:
                return words


async def test_all_ways_in_hear_one_order(house: House) -> None:
    irc = [
        await join(house, "a0"),
        await join(house, "a1", "server-time", "message-tags", "echo-message"),
        await join(house, "a2", "echo-message", "batch", "labeled-response"),
    ]
    plain, program = await house.enter("p"), await house.enter_json("j", echo=True)
    ways = [*(client.visitor for client in irc), plain, program]
    said = [
        "PRIVMSG #lobby :{}",
        "PRIVMSG #lobby :{}",
        "@label={0} PRIVMSG #lobby :{0}",
        "{}",
        '{{"kind":"message","text":"{}"}}',
    ]
    heard: list[list[bytes]] = [[] for _ in ways]

    async def talk(who: int) -> None:
        for number in range(200):
            await ways[who].say(said[who].format(f"w{who}-{number}"))
            if number % 7 == who:
                await trio.lowlevel.checkpoint()

    async def listen(who: int) -> None:
        heard[who] = await _hear(ways[who], b"w9-0")

    last = await house.enter("last")
    async with trio.open_nursery() as nursery:
        for who in range(len(ways)):
            nursery.start_soon(listen, who)
        async with trio.open_nursery() as talking:
            for who in range(len(ways)):
                talking.start_soon(talk, who)
        await plain.say("/ping")
        for client in irc:
            await client.say("PING x")
        await house.until(lambda: house.service.statistics().seq >= 6 + 5 * 200)
        await last.say("w9-0")
    order = heard[4]
    assert len(order) == 5 * 200 + 1
    assert heard[1] == heard[2] == order
    for who in (0, 3):  # who is not echoed
        own = f"w{who}-".encode()
        assert heard[who] == [word for word in order if not word.startswith(own)]


@pytest.mark.parametrize("seed", range(3))
async def test_fuzzed_lines_do_not_disturb_the_others(house: House, seed: int) -> None:
    rng = random.Random(seed)
    listener = await join(house, "listener", "message-tags", "server-time", "batch")
    bob = await house.enter_json("bob")
    wild = await join(house, "wild", "message-tags", "batch", "labeled-response")
    for _ in range(20):
        await wild.visitor.send(b"".join(fuzzed_line(rng) for _ in range(50)))
        await _answered(wild)
        await listener.all()  # every line of which is a whole one, and not too long
    await bob.say({"kind": "message", "text": "still here", "id": "1"})
    told = await bob.object()
    while told["kind"] != "ack":
        told = await bob.object()
    assert "PRIVMSG" in commands(await listener.all())


async def _answered(client: IrcVisitor) -> None:
    await client.say("", "CAP REQ :-labeled-response", "PING the-end")
    while b" the-end" not in await client.visitor.line_bytes():
        pass
    await client.say("CAP REQ :labeled-response batch message-tags")
