"""The bot of the README, as it stands there."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

import trio

from tests.visiting import open_house

README = Path(__file__).parents[2] / "README.md"


def bot() -> str:
    """The one Python block that connects to a room."""
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
    (source,) = (block for block in blocks if "chatroom.connect(" in block)
    return str(source)


async def test_the_bot_of_the_readme_works(nursery: trio.Nursery, tmp_path: Path) -> None:
    house = await open_house(nursery, "epoll")
    source = bot()
    assert "9009" in source
    program = tmp_path / "bot.py"
    program.write_text(source.replace("9009", str(house.service.port)))
    lines = [line for line in source.splitlines() if line.strip()]
    assert len(lines) <= 10
    async with trio.open_nursery() as programs:
        process: trio.Process = await programs.start(
            partial(trio.run_process, [sys.executable, program], check=False)
        )
        visitor = await house.enter("visitor")
        while (line := await visitor.line()) != "echo: pong, visitor":
            assert line == "-- echo joined"
            await visitor.say("!ping")
        process.terminate()
    house.close()
