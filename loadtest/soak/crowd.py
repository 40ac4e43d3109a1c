"""Who is in the room: every format, and every way to behave in it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import trio

from loadtest.soak.bots import Bot, Flooder, Leaver, Reader, Resumer, SlowReader, Talker
from loadtest.soak.ledger import Ledger
from loadtest.soak.listener import FeedListener
from loadtest.soak.server import Server

_ALL_IN_SECONDS = 30.0
_ASK_SECONDS = 0.02

#: Who takes part, and by which formats.
PARTS: Sequence[tuple[type[Bot], Sequence[str]]] = (
    (Reader, ("json", "ws", "plain", "irc")),
    (Talker, ("json", "ws", "plain", "irc")),
    (Resumer, ("json", "json", "ws")),
    (Flooder, ("json",)),
    (SlowReader, ("plain", "irc", "plain")),
    (Leaver, ("plain", "json", "ws", "irc")),
)
LISTENERS = 2


class Crowd:
    """All of them.

    Args:
        server: which room.
        ledger: what they hear is held against.
        seed: how they behave, as far as that does not depend on the server.
    """

    def __init__(self, server: Server, ledger: Ledger, seed: int) -> None:
        self._ledger = ledger
        parts = [(part, format) for part, formats in PARTS for format in formats]
        self.bots: list[Bot] = []
        for number, (part, format) in enumerate(parts):
            name = f"{part.__name__.lower()}-{format}-{number}"
            self.bots.append(part(name, number, format, server, ledger, Random(f"{seed} {name}")))
            if part is Flooder:
                ledger.untimed.add(number)
        self.listeners = [
            FeedListener(f"listener-{n}", server.place, ledger, Random(f"{seed} {n}"))
            for n in range(LISTENERS)
        ]

    def start(self, nursery: trio.Nursery) -> None:
        """Have them all come."""
        for bot in self.bots:
            nursery.start_soon(bot.run)
        for listener in self.listeners:
            nursery.start_soon(listener.run)

    def hush(self) -> None:
        """Nobody says a word any more; they come and go as before."""
        for bot in self.bots:
            bot.is_silent = True

    async def wait_all_in(self) -> list[str]:
        """Wait until everybody who reads has been in with all that the room has said until now, at
        most half a minute; who has not by then.
        """
        last = self._ledger.last_seq
        reading = [bot for bot in self.bots if not isinstance(bot, Leaver | SlowReader)]
        missing = {bot.name: bot.ears for bot in reading} | {
            listener.name: listener for listener in self.listeners
        }
        with trio.move_on_after(_ALL_IN_SECONDS):
            while missing := {  # noqa: ASYNC110 - asked, not told
                name: one for name, one in missing.items() if not one.has_heard(last)
            }:
                await trio.sleep(_ASK_SECONDS)
        return list(missing)
