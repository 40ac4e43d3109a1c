"""A room that takes what a program says more slowly: it is told, and nothing is lost."""

from __future__ import annotations

import sys

import pytest
import trio

import chatroom
from chatroom.client.items import Item
from chatroom.client.terminal.colours import Colours
from chatroom.client.terminal.render import Renderer
from chatroom.protocol.answers import Slowed
from chatroom.settings import RateSettings
from tests.conftest import OpenHouse

RATES = RateSettings(talk_per_second=100, talk_burst=5, patience_seconds=0.5)


async def test_a_program_is_told_and_its_lines_are_acked_in_order(open_room: OpenHouse) -> None:
    house = await open_room(rates=RATES)
    async with chatroom.connect("127.0.0.1", house.service.port, nick="program") as room:
        receipts = [room.say_nowait(str(number)) for number in range(30)]
        acked = [await receipt.wait() for receipt in receipts]
        assert acked == sorted(acked)
        items: list[Item] = []
        with trio.fail_after(30):
            while not any(isinstance(item, Slowed) for item in items):
                items.append(await room.next_item())
    assert items[-1] == Slowed(100)


async def test_a_pipe_follows_the_room_s_pace_and_is_not_closed_for_pushing(
    open_room: OpenHouse,
) -> None:
    """All of them take twice the patience of the server; what is on its way at once does not."""
    house = await open_room(
        rates=RateSettings(talk_per_second=400, talk_burst=50, patience_seconds=0.5)
    )
    reader = await house.enter("reader")
    text = "".join(f"{number}\n" for number in range(450)).encode()
    command = [sys.executable, "-m", "chatroom", "client", "--port", str(house.service.port)]
    with trio.fail_after(30):
        done = await trio.run_process(
            [*command, "--nick", "pipe"],
            stdin=text,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    # Once a spell: a server that is kept from running may find the bucket full again.
    assert set(done.stderr.splitlines()) == {
        b"chatroom: you are slowed down to 400 messages a second; nothing is lost"
    }
    heard = [line for line in await reader.lines(452) if line.startswith("pipe: ")]
    assert heard == [f"pipe: {number}" for number in range(450)]


@pytest.mark.parametrize(
    ("slowed", "line"),
    [
        (Slowed(50), "-- you are slowed down to 50 messages a second; nothing is lost"),
        (Slowed(0.1, "renames"), "-- you are slowed down to one of your renames in 10 seconds;"),
        (
            Slowed(500, "room"),
            "-- you are slowed down: the room takes 500 messages a second of all",
        ),
        (Slowed(0, "\x1b[2Jlies"), "-- you are slowed down to 0 "),
        (Slowed(-1.5), "-- you are slowed down to -1.5 messages a second"),
    ],
)
def test_the_terminal_says_it_in_a_line(slowed: Slowed, line: str) -> None:
    (shown,) = Renderer(Colours(wanted=False), "me").item(slowed)
    assert shown.startswith(line)
    assert shown.isprintable()
