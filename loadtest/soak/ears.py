"""What one of the crowd hears, as its format has it, held against what the room promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import msgspec
import trio

from loadtest.soak.ledger import Ledger
from loadtest.soak.places import NumberedPlace, TextPlace
from loadtest.soak.wires import Wire, heard, is_in

_decode = msgspec.json.Decoder(dict[str, Any]).decode

#: Those whose numbers nobody else has at the end of a connection have them a moment later.
_CATCHING_UP_SECONDS = 3.0

#: Events that may come in the end of a replay although they are newer than its welcome.
_REPLAYED = 50

#: Plain text and IRC have no numbers.
_NUMBERED = frozenset({"json", "ws"})


class Ears(ABC):
    """Hears one connection after the other."""

    is_in = False  #: the room has said that it is

    @abstractmethod
    async def listen(self, wire: Wire) -> None:
        """Hear what comes, until the connection ends."""

    def going_on(self) -> dict[str, Any]:
        """What the hello has of a client that wants what it has missed."""
        return {}

    @abstractmethod
    def has_heard(self, seq: int) -> bool:
        """Is it in, with all that the room has said up to that number?"""

    @abstractmethod
    def judge(self) -> None:
        """Judge what can be judged only when the room has settled."""


def ears_for(format: str, who: str, number: int, ledger: Ledger, *, echoes: bool) -> Ears:
    """`number`: the talker that it is. `echoes`: it gets its own messages back, where the format
    has that.
    """
    if format in _NUMBERED:
        return NumberedEars(who, number, ledger, echoes=echoes)
    return TextEars(format, who, number, ledger)


class NumberedEars(Ears):
    """By JSON Lines or a WebSocket: there are numbers, acks, and resuming."""

    def __init__(self, who: str, number: int, ledger: Ledger, *, echoes: bool) -> None:
        self._place = NumberedPlace(ledger, who, None if echoes else number)
        self._who = who
        self._number = number
        self._ledger = ledger
        self._asked = ("", 0)  # the session, and after which number

    def going_on(self) -> dict[str, Any]:
        self._asked = (self._place.session, self._place.last)
        if not self._place.session:
            return {}
        return {"session": self._place.session, "after": self._place.last}

    def has_heard(self, seq: int) -> bool:
        return self.is_in and self._place.has_heard(seq)

    def judge(self) -> None:
        self._place.judge()

    async def listen(self, wire: Wire) -> None:
        while lines := await wire.lines():
            for line in lines:
                if line.startswith(b"{"):
                    self._take(line, _decode(line))

    def _take(self, line: bytes, said: dict[str, Any]) -> None:
        kind = said["kind"]
        if kind == "welcome":
            self._come_in(said)
        elif kind == "gap":
            self._place.skip(said["from"], said["to"])
            self._ledger.miss(said["from"], said["to"], self._who)
        elif kind == "ack":
            self._ledger.ack(said["seq"], self._number, int(said["id"]))
        elif kind == "error" and said["code"] == "not_stored":
            self._ledger.not_stored += 1
        elif "time" in said:
            text = said["text"].encode() if kind == "message" else None
            self._place.take(said["seq"], line, text)

    def _come_in(self, welcome: dict[str, Any]) -> None:
        self.is_in = True
        session, resumed = welcome["session"], "resumed" in welcome
        last = welcome["after"] if resumed else welcome["seq"]
        # Not the place where it stands: whose hello is late is let in before it.
        if resumed and session == self._asked[0] and last != self._asked[1]:
            self._ledger.faults.add("lost", f"{self._who} resumed elsewhere: {welcome}")
        self._place.judge()
        self._place.enter(session, last)
        # A replay ends a little above that: it is gathered while the room talks on.
        self._place.live_from = welcome["seq"] + _REPLAYED


class TextEars(Ears):
    """By plain text or IRC. One's own messages don't come back."""

    def __init__(self, format: str, who: str, number: int, ledger: Ledger) -> None:
        self._format = format
        self._who = who
        self._number = number
        self._ledger = ledger
        self._place = TextPlace(ledger, who, number)

    def has_heard(self, seq: int) -> bool:
        return self.is_in and self._place.has_heard(seq)

    async def listen(self, wire: Wire) -> None:
        place = self._place = TextPlace(self._ledger, self._who, self._number)
        try:
            while lines := await wire.lines():
                for line in lines:
                    if not self.is_in and is_in(self._format, line):
                        self.is_in = True
                        place.enter()
                    if line.startswith(b"PING "):
                        await wire.say(b"PONG " + line[5:] + b"\n")
                    elif text := heard(self._format, line):
                        place.take(text)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(_CATCHING_UP_SECONDS)
            place.judge()

    def judge(self) -> None:
        """Each connection has been judged at its end."""
