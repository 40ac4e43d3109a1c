"""A person at a terminal, in a room: the screen, the connection, and what goes between them."""

from __future__ import annotations

import os
import signal
from datetime import datetime, timedelta
from math import inf

import trio

from chatroom.client.connecting import open_room
from chatroom.client.errors import NotStored, RoomError, Unconfirmed
from chatroom.client.items import Connected, Disconnected, Item
from chatroom.client.options import ConnectOptions
from chatroom.client.room import Receipt, Room
from chatroom.client.terminal.colours import Colours
from chatroom.client.terminal.commands import Typed, help_lines, read, size_bytes
from chatroom.client.terminal.inputs import TypedLines, default_path
from chatroom.client.terminal.operators import operate
from chatroom.client.terminal.people import People
from chatroom.client.terminal.render import Renderer
from chatroom.client.terminal.screen import Screen
from chatroom.client.terminal.unread import Unread
from chatroom.event import Event
from chatroom.protocol.jsonlines.parse import HistoryPage
from chatroom.room.visible import visible

#: Names that one line of `/who` shows.
NAMES_A_LINE = 10

#: So long what has come is not shown, to wait for what was before it; a server that is alive takes
#: a fraction of that.
HISTORY_SECONDS = 10.0


async def converse(options: ConnectOptions, *, colours: Colours, last: int) -> None:
    """Be in a room on this terminal until its person leaves.

    `last` events of the room's history are shown at the beginning. Raises `RoomError` if the room
    can't be entered, and when it is lost for good. SIGINT, SIGTERM and SIGHUP leave the room.
    Cancelled, it leaves too, and restores the terminal.
    """
    async with open_room(options) as room:
        conversation = Conversation(room, colours)
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            await conversation.run(last, signals)


class Conversation:
    def __init__(self, room: Room, colours: Colours) -> None:
        self._room = room
        self._people = People()
        self._render = Renderer(colours, room.nick)
        self._unread = Unread(trio.current_time())
        self._state = "connected"
        self._lost: RoomError | None = None
        self._to_say, self._typed = trio.open_memory_channel[str](inf)  # one types them
        self._clock = trio.lowlevel.current_clock()
        self._screen = Screen(
            typed=self._to_say.send_nowait,
            refuse=self._refuse,
            status=self._status,
            nicks=self._others,
            touched=self._touch,
            history=TypedLines(default_path(os.environ)),
            colour=colours.wanted,
        )

    async def run(self, last: int, signals: object) -> None:
        """Until the screen is left. Raises `RoomError` if the room was lost. Cancelled, the
        terminal is restored.
        """
        async with trio.open_nursery() as nursery:
            scope = nursery.cancel_scope
            nursery.start_soon(self._watch_signals, signals, scope)
            nursery.start_soon(self._listen, last, scope)
            nursery.start_soon(self._talk, nursery, scope)
            nursery.start_soon(self._turn_days)
            await self._screen.run()
            scope.cancel()
        if self._lost is not None:
            raise self._lost

    async def _watch_signals(self, signals: object, scope: trio.CancelScope) -> None:
        async for _ in signals:  # type: ignore[attr-defined]
            scope.cancel()

    # What comes

    async def _listen(self, last: int, scope: trio.CancelScope) -> None:
        await self._screen.wait_drawn()
        try:
            async for item in self._room.items():
                await self._screen.show(self._lines(item))
                if isinstance(item, Connected) and not item.again and last:
                    await self._begin_with(last, item.welcome.seq + 1)
                self._screen.refresh()
        except RoomError as error:
            self._lost = error
        scope.cancel()

    async def _begin_with(self, last: int, before: int) -> None:
        """Show the last events from before we came; the room's inbox keeps what comes meanwhile."""
        try:
            with trio.fail_after(HISTORY_SECONDS):
                await self._show_last(last, before)
        except trio.TooSlowError:
            await self._warn(f"the last events can't be had: no answer in {HISTORY_SECONDS:.0f} s")
        except RoomError as error:
            await self._warn(f"the last events can't be had: {error}")

    def _lines(self, item: Item) -> list[str]:
        self._people.see(item)
        match item:
            case Connected():
                self._state = "connected"
                self._render.nick = item.welcome.nick
            case Disconnected():
                self._state = f"reconnecting ({visible(item.text)})"
            case Event(kind="message" | "action"):
                return [*self._mark(item), *self._render.item(item)]
            case Event(kind="rename") if item.nick == self._render.nick:
                # Not when the ack comes: what is shown now may have been said under the old name.
                self._render.nick = item.to
            case _:
                pass
        return self._render.item(item)

    def _mark(self, event: Event) -> list[str]:
        """The line before the first message that came while nobody was here."""
        if event.nick == self._render.nick or not self._unread.came(trio.current_time()):
            return []
        return [self._render.rule("unread")]

    async def _show_last(self, count: int, before: int | None = None) -> None:
        await self._show_page(await self._room.history(limit=count, before=before))

    async def _show_page(self, page: HistoryPage) -> None:
        lines: list[str] = []
        for event in page.events:
            lines += self._render.item(event, old=True)
        await self._screen.show(lines)

    async def _turn_days(self) -> None:
        await self._screen.wait_drawn()
        while True:
            now = datetime.now().astimezone()
            midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            # A clock may be set and a machine may sleep, so it is looked at again.
            await trio.sleep(min(60.0, (midnight - now).total_seconds() + 0.01))
            if datetime.now().astimezone().date() != now.date():
                await self._screen.show(self._render.day(datetime.now().astimezone().date()))

    # What is typed

    def _refuse(self, text: str) -> str:
        limit = self._room.text_limit_bytes
        for line in text.split("\n"):
            typed = read(line)
            if typed is None or typed.command not in (
                "say",
                "me",
                "nick",
                "who",
                "history",
                "search",
            ):
                continue
            if not self._room.connected:
                return "not connected: your text stays here, Enter tries again"
            if typed.command in ("say", "me") and (over := size_bytes(typed.argument) - limit) > 0:
                return f"too long by {over} bytes"
        return ""

    async def _talk(self, nursery: trio.Nursery, scope: trio.CancelScope) -> None:
        async for text in self._typed:
            for line in text.split("\n"):
                typed = read(line)
                if typed is not None and typed.command == "quit":
                    scope.cancel()
                elif typed is not None:
                    await self._carry_out(typed, nursery)

    async def _carry_out(self, typed: Typed, nursery: trio.Nursery) -> None:
        try:
            match typed.command:
                case "say":
                    receipt = await self._say_in_turn(typed.argument)
                    nursery.start_soon(self._confirm, receipt, typed.argument)
                case "":
                    await self._screen.show([self._render.warning(visible(typed.problem))])
                case "help":
                    await self._notices(help_lines())
                case "stats":
                    await self._notices(self._statistics())
                case _:
                    nursery.start_soon(self._answer, typed)
        except RoomError as error:
            await self._warn(f"not said: {error}")

    async def _say_in_turn(self, text: str) -> Receipt:
        """Queue a line behind those before it; waits only within a pasted book."""
        while True:
            try:
                return self._room.say_nowait(text)
            except trio.WouldBlock:
                await self._room.ping()  # answered behind what was said before

    async def _confirm(self, receipt: Receipt, text: str) -> None:
        try:
            await receipt.wait()
        except Unconfirmed:
            await self._warn(f"the connection broke, not known whether this was said: {text}")
        except NotStored:
            await self._warn(f"heard, but not stored, so missing in the history: {text}")
        except RoomError as error:
            await self._warn(f"not said ({error}): {text}")

    async def _warn(self, text: str) -> None:
        await self._screen.show([self._render.warning(visible(text))])

    async def _answer(self, typed: Typed) -> None:
        room, argument = self._room, typed.argument
        try:
            match typed.command:
                case "me":
                    await room.act(argument)
                case "nick":
                    await room.rename(argument)
                case "ping":
                    await self._notices([f"{await room.ping() * 1000:.1f} ms"])
                case "who":
                    await self._who()
                case "history":
                    await self._screen.show([self._render.rule("history")])
                    await self._show_last(int(argument or 20))
                    await self._screen.show([self._render.rule("now")])
                case "search":
                    await self._search(argument)
                case _:
                    await self._notices(await operate(room, typed))
        except RoomError as error:
            await self._warn(f"/{typed.command}: {error}")

    async def _search(self, words: str) -> None:
        page = await self._room.search(words)
        if not page.events:
            await self._notices([f"nothing was said with {visible(words)}"])
            return
        older = " (the latest)" if page.more else ""
        await self._screen.show([self._render.rule(f"search: {visible(words)}{older}")])
        await self._show_page(page)
        await self._screen.show([self._render.rule("now")])

    async def _who(self) -> None:
        people = await self._room.whereabouts()
        lines = [f"{len(people)} here:"]
        for server in sorted({server for _, server in people}):
            nicks = [visible(nick) for nick, its in people if its == server]
            if server:
                lines.append(f"on {visible(server)}:")
            lines += [
                "  ".join(nicks[at : at + NAMES_A_LINE])
                for at in range(0, len(nicks), NAMES_A_LINE)
            ]
        await self._notices(lines)

    async def _notices(self, lines: list[str]) -> None:
        await self._screen.show([self._render.notice(line) for line in lines])

    def _statistics(self) -> list[str]:
        counts = self._room.statistics()
        return [
            f"{counts.events} events received, {counts.missed} missed, "
            f"{counts.left_out} fetched again",
            f"{counts.acked} acked, {counts.refused} refused, {counts.outstanding} on their way",
            f"{counts.bytes_received} bytes received, {counts.reconnects} reconnects",
        ]

    # In the terminal's thread: only looks, and sets plain values

    def _status(self) -> str:
        room = self._room
        parts = [visible(room.name), visible(self._render.nick)]
        if self._state == "connected":  # else nobody here knows how many are there
            parts.append(f"{self._people.count} here")
        parts.append(self._state)
        if self._unread.count:
            parts.append(f"{self._unread.count} unread")
        waiting = room.statistics().outstanding
        if waiting and self._state != "connected":
            parts.append(f"{waiting} not answered")
        return " │ ".join(parts)

    def _others(self) -> list[str]:
        return [nick for nick in self._people.nicks() if nick != self._room.nick]

    def _touch(self) -> None:
        self._unread.touch(self._clock.current_time())
