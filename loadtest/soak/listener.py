"""One who reads the feed over a bad line: a part of what comes is dropped unread."""

from __future__ import annotations

from random import Random

import msgspec
import trio

from chatroom.errors import ChatroomError
from chatroom.feed.group import Group
from chatroom.feed.line import WantedLine
from chatroom.feed.listener import Listener, Wanted
from chatroom.feed.reassembly import Reassembly, SessionBegan
from chatroom.feed.stream import Delivered, Lost
from loadtest.soak.ledger import Ledger
from loadtest.soak.places import NumberedPlace
from loadtest.soak.server import Place

LOSS = 0.05

#: On a bad line what is missing holds up what comes after it, for as long as it is asked for.
NEVER_LIVE = 2**62
_BACK_SECONDS = 0.2


class _Event(msgspec.Struct):
    kind: str
    text: str = ""


_decode = msgspec.json.Decoder(_Event).decode


class _BadLine(Reassembly):
    """Some of the group's datagrams never reach it; the answers that it asks for do."""

    def __init__(self, random: Random) -> None:
        super().__init__(random=random)
        self._chance = random

    def receive(self, datagram: bytes, now: float, source: object = None, line: int = 0) -> bool:
        if self._chance.random() < LOSS:
            return False
        return super().receive(datagram, now, source, line)


class FeedListener:
    """Hears the room's events on its feed, each once and in order, or that they are lost."""

    def __init__(self, name: str, place: Place, ledger: Ledger, random: Random) -> None:
        self.name = name
        self.is_in = False
        self.lost = 0  #: numbers of which the feed said that they are lost
        self.repaired = 0
        self._wanted = Wanted([WantedLine(Group(place.group, place.feed_port, place.interface))])
        self._ledger = ledger
        self._place = NumberedPlace(ledger, name)
        self._place.live_from = NEVER_LIVE
        self._random = random

    def has_heard(self, seq: int) -> bool:
        """Is it in, with all that the room has said up to that number?"""
        return self.is_in and self._place.has_heard(seq)

    async def run(self) -> None:
        """Listen until cancelled; while there is no interface, try again."""
        while True:
            try:
                listener = Listener(self._wanted)
            except (ChatroomError, OSError):
                await trio.sleep(_BACK_SECONDS)
                continue
            listener._reassembly = _BadLine(self._random)
            try:
                while True:
                    for outcome in await listener.receive():
                        self._take(outcome)
                    self.repaired = listener.statistics.repaired
            finally:
                listener.close()

    def _take(self, outcome: object) -> None:
        if isinstance(outcome, SessionBegan):
            self.is_in = True
            self._place.enter(outcome.session, outcome.sequence - 1)
        elif isinstance(outcome, Lost):
            self.lost += outcome.last - outcome.first + 1
            self._place.skip(outcome.first, outcome.last)
            self._ledger.lose(outcome.first, outcome.last, self.name)
        elif isinstance(outcome, Delivered):
            event = _decode(outcome.message)
            text = event.text.encode() if event.kind == "message" else None
            self._place.take(outcome.sequence, outcome.message, text)
