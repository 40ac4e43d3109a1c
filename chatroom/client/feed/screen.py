"""The feed on a terminal: what happens scrolls by, and a line at the bottom takes commands."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import msgspec
import trio
from prompt_toolkit.history import InMemoryHistory

from chatroom.client.feed.lines import REJOINED, UNREADABLE, notice, statistics_lines
from chatroom.client.terminal.colours import Colours
from chatroom.client.terminal.render import Renderer
from chatroom.client.terminal.screen import Screen
from chatroom.event import decode_event
from chatroom.feed.listener import Listener
from chatroom.feed.reassembly import Outcome, SessionBegan
from chatroom.feed.stream import Delivered, Lost

COMMANDS = {
    "/stats": "show what came, what was missing and what was repaired",
    "/help": "show this",
    "/quit": "leave; so do Ctrl-D and Ctrl-C",
}


async def listen_at_terminal(
    opening: AbstractAsyncContextManager[Listener], *, colours: Colours
) -> None:
    """Show the feed on this terminal until its person leaves; then the counts on stderr.

    Raises what `opening` does. SIGINT, SIGTERM and SIGHUP leave.
    Cancelled, it leaves the group and restores the terminal.
    """
    async with opening as feed:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            await ListeningScreen(feed, colours).run(signals)
        for line in statistics_lines(feed.statistics):
            print(f"-- {line}", file=sys.stderr)


class ListeningScreen:
    def __init__(self, feed: Listener, colours: Colours) -> None:
        self._feed = feed
        self._warned = False
        self._rejoined = 0
        self._render = Renderer(colours, "")
        self._session = ""
        self._seq = 0
        self._to_do, self._typed = trio.open_memory_channel[str](100)
        self._screen = Screen(
            typed=self._to_do.send_nowait,
            refuse=self._refuse,
            status=self._status,
            nicks=list,
            touched=lambda: None,
            history=InMemoryHistory(),
            colour=colours.wanted,
        )

    async def run(self, signals: AsyncIterator[int]) -> None:
        """Until the screen is left. Cancelled, the terminal is restored."""
        async with trio.open_nursery() as nursery:
            scope = nursery.cancel_scope
            nursery.start_soon(self._watch_signals, signals, scope)
            nursery.start_soon(self._listen)
            nursery.start_soon(self._obey, scope)
            await self._screen.run()
            scope.cancel()

    async def _watch_signals(self, signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
        async for _ in signals:
            scope.cancel()

    async def _listen(self) -> None:
        await self._screen.wait_drawn()
        while True:
            lines: list[str] = []
            outcomes = await self._feed.receive()
            if self._rejoined != (rejoined := self._feed.statistics.rejoined):
                self._rejoined = rejoined
                lines.append(self._render.notice(REJOINED))
            for outcome in outcomes:
                lines += self._lines(outcome)
            await self._screen.show(lines)
            self._screen.refresh()

    def _lines(self, outcome: Outcome) -> list[str]:
        if isinstance(outcome, Delivered):
            self._seq = outcome.sequence
            try:
                return self._render.item(decode_event(outcome.message))
            except msgspec.MsgspecError:
                self._feed.statistics.ignored += 1
                warned, self._warned = self._warned, True
                return [] if warned else [self._render.warning(UNREADABLE)]
        if isinstance(outcome, SessionBegan):
            self._session = outcome.session
        if isinstance(outcome, Lost):
            return [self._render.warning(notice(outcome))]
        return [self._render.notice(notice(outcome))]

    async def _obey(self, scope: trio.CancelScope) -> None:
        async for text in self._typed:
            match text.strip():
                case "/quit":
                    scope.cancel()
                case "/stats":
                    await self._say(statistics_lines(self._feed.statistics))
                case "/help":
                    await self._say([f"{name:7} {does}" for name, does in COMMANDS.items()])

    async def _say(self, lines: list[str]) -> None:
        await self._screen.show([self._render.notice(line) for line in lines])

    # In the terminal's thread: only looks

    def _refuse(self, text: str) -> str:
        if not text.strip() or text.strip() in COMMANDS:
            return ""
        return f"the feed is to listen only: {', '.join(COMMANDS)}"

    def _status(self) -> str:
        counts = self._feed.statistics
        parts = [
            f"listening to {self._feed.where}",
            f"log {self._session}, #{self._seq}" if self._session else "nothing heard yet",
            f"{counts.repaired} repaired, {counts.lost} lost",
        ]
        return " │ ".join(parts)
