"""A soak's connections: the same lines in every format."""

from __future__ import annotations

from typing import cast

import pytest
import trio
import trio.testing

from loadtest.soak.wires import Wire, connect, greeting, heard, saying
from tests.conftest import OpenHouse


@pytest.mark.parametrize("format", ["plain", "irc", "json", "ws"])
async def test_what_one_says_another_hears(open_room: OpenHouse, format: str) -> None:
    house = await open_room()
    other = await house.enter_json("other")
    wire = await connect(house.service.port, format)
    await wire.say(greeting(format, "bob"))
    assert (await other.object())["kind"] == "join"
    await wire.say(saying(format, b"hello"))
    assert (await other.object())["text"] == "hello"
    await other.say(*({"kind": "message", "text": f"line {n}"} for n in range(300)))
    wanted = [f"line {n}".encode() for n in range(300)]
    texts: list[bytes] = []
    while len(texts) < 300:
        for line in await wire.lines():
            if format in ("plain", "irc"):
                texts += [text] if (text := heard(format, line)) else []
            elif b'"kind":"message"' in line:
                texts.append(line.partition(b'"text":"')[2].rstrip(b'"}'))
    assert texts == wanted
    await wire.aclose()


async def test_who_talks_and_who_listens_may_send_at_once(nursery: trio.Nursery) -> None:
    near, far = trio.testing.lockstep_stream_pair()
    wire = Wire(cast("trio.SocketStream", near))
    nursery.start_soon(wire.say, b"one\n")
    nursery.start_soon(wire.say, b"two\n")
    await trio.testing.wait_all_tasks_blocked()
    received = b""
    while len(received) < 8:
        received += await far.receive_some(100)
    assert sorted(received.splitlines()) == [b"one", b"two"]
