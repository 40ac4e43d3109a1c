"""What happens in the room, as lines to read."""

from __future__ import annotations

import re
from datetime import date, datetime

from chatroom.client.items import Connected, Disconnected, Item
from chatroom.client.terminal.colours import Colours
from chatroom.event import EVENT_KINDS, Event, Gap
from chatroom.protocol.answers import Error, Presence, Slowed
from chatroom.protocol.plain.render import PLAIN, REMOVED
from chatroom.room.visible import visible

BELL = "\a"


def plain(event: Event | Gap) -> str:
    """One line as the server's plain format has it: `nick: text`, `-- bob joined`."""
    if isinstance(event, Event) and event.kind not in EVENT_KINDS:
        return visible(f"-- {event.nick}: {event.kind}")
    return visible(PLAIN.event(event, b"").decode().removesuffix("\n"))


def local_time(event: Event) -> datetime:
    """When it happened, by the clock on the wall here; now, if the event does not say."""
    try:
        return datetime.fromisoformat(event.time).astimezone()
    except (ValueError, OverflowError, OSError):
        return datetime.now().astimezone()


class Renderer:
    """Lines for a terminal: time, colour, a line where a day begins, a mark at what is unread."""

    def __init__(self, colours: Colours, nick: str) -> None:
        self._colours = colours
        self._day: date | None = None
        self._server = ""
        self._mention = re.compile("")
        self.nick = nick

    @property
    def nick(self) -> str:
        """One's own name: it is highlighted, and rings."""
        return self._nick

    @nick.setter
    def nick(self, nick: str) -> None:
        self._nick = nick
        self._mention = re.compile(rf"(?<!\w){re.escape(nick)}(?!\w)", re.IGNORECASE)

    def item(self, item: Item, *, old: bool = False) -> list[str]:  # noqa: PLR0911
        """The lines for one item; `old`: it is history and does not ring."""
        match item:
            case Event():
                return [*self.day(local_time(item).date()), self._event(item, old=old)]
            case Gap():
                return [self.rule(item.text)]
            case Connected():
                return self._connected(item)
            case Disconnected(tries=0):
                return [
                    self.warning(f"connection lost: {visible(item.text)}; it comes back by itself")
                ]
            case Presence(announced=False):
                return [
                    self.notice(f"{item.member_count} are here now: who comes and goes is not told")
                ]
            case Presence():
                return [self.notice("who comes and goes is told again")]
            case Slowed():
                return [self.notice(visible(item.text))]
            case Error():
                return [self.warning(f"{visible(item.code)}: {visible(item.text)}")]
            case _:
                return []

    def day(self, day: date) -> list[str]:
        """The line of a day, if the last line was of another."""
        if day == self._day:
            return []
        self._day = day
        return [self.rule(f"{day:%A} {day.day} {day:%B %Y}")]

    def rule(self, text: str) -> str:
        """A line that parts what is above from what is below."""
        return self._colours.faint(f"── {text} ──")

    def notice(self, text: str) -> str:
        """A line that the client itself says."""
        return self._colours.faint(f"-- {text}")

    def warning(self, text: str) -> str:
        """A line about what went wrong."""
        return self._colours.warning(f"-- {text}")

    def _event(self, event: Event, *, old: bool) -> str:
        clock = self._colours.faint(f"{local_time(event):%H:%M}")
        if event.kind not in ("message", "action"):
            return f"{clock} {self._colours.faint(plain(event))}"
        text = visible(event.text or REMOVED)
        ring = ""
        if event.nick == self._nick:
            nick = self._colours.own(visible(event.nick))
        else:
            nick = self._colours.nick(visible(event.nick))
            if self._mention.search(text):
                text = self._mention.sub(lambda found: self._colours.called(found[0]), text)
                ring = "" if old else BELL
        if event.kind == "action":
            return f"{clock} * {nick} {text}{ring}"
        return f"{clock} {nick}: {text}{ring}"

    def _connected(self, item: Connected) -> list[str]:
        welcome = item.welcome
        moved = self._server not in ("", item.server)
        self._server = item.server
        if not item.again:
            here = f"{welcome.member_count} here"
            return [
                self.notice(f"{visible(welcome.room)}: you are {visible(welcome.nick)}, {here}"),
                *self._topic(welcome.topic),
            ]
        where = f", on {visible(item.server)}" if moved else ""
        lines = [self.notice(f"back in {visible(welcome.room)} as {visible(welcome.nick)}{where}")]
        if item.new_log:
            lines.append(
                self.warning("the room has begun anew: what was said meanwhile is not known")
            )
        elif item.behind:
            lines.append(self.rule(f"while you were away: {item.behind}"))
        return lines

    def _topic(self, topic: str) -> list[str]:
        return [self.notice(f"topic: {visible(topic)}")] if topic else []
