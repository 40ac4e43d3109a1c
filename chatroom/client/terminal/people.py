"""Who is here, as far as a client can tell from what it sees."""

from __future__ import annotations

from chatroom.client.items import Connected, Item
from chatroom.event import Event
from chatroom.protocol.answers import Presence


class People:
    """The members that are known, and how many there are in all.

    Of a large room the welcome names only a hundred members; who speaks becomes known.
    """

    def __init__(self) -> None:
        self._speaking: dict[str, None] = {}  # the latest speaker last
        self._as_of = 0
        self.count = 0

    def nicks(self) -> list[str]:
        """The latest speaker first."""
        return list(reversed(self._speaking))

    def see(self, item: Item) -> None:
        """Take in what happened."""
        match item:
            case Connected():
                self._speaking = dict.fromkeys(reversed(item.welcome.members))
                self.count = item.welcome.member_count
                self._as_of = item.welcome.seq
            case Presence():
                self.count = item.member_count
            case Event(kind="message" | "action"):
                self._speaking.pop(item.nick, None)
                self._speaking[item.nick] = None
            case Event() if item.seq > self._as_of:
                self._come_or_go(item)
            case _:
                pass

    def _come_or_go(self, event: Event) -> None:
        if event.kind == "leave":
            self._speaking.pop(event.nick, None)
            self.count = max(1, self.count - 1)
        elif event.kind == "join":
            # Behind those who have said something.
            self._speaking = {event.nick: None} | self._speaking
            self.count += 1
        elif event.kind == "rename":
            self._speaking = {
                event.to if nick == event.nick else nick: None for nick in self._speaking
            }
