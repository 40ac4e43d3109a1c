"""A new format is a folder and one registration: this one is neither plain nor JSON, and talks with
both in every mode without a line changed elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from chatroom.event import Event, Gap
from chatroom.protocol.answers import AnyAnswer, Bye, Welcome
from chatroom.protocol.format import end_of_line
from chatroom.protocol.lines import LineSession
from chatroom.protocol.requests import Draft, Hello, Request, Speaks
from chatroom.protocol.session import Visit
from chatroom.protocol.ways import WAYS
from chatroom.room.refused import Refused
from tests.conftest import OpenHouse


@dataclass(frozen=True, slots=True)
class Shout:
    """Messages only, in capitals."""

    name = "shout"
    of_json = False
    ping = b""

    def event(self, event: Event | Gap, block: bytes) -> bytes:
        return f"{event.nick}! {event.text}\n".upper().encode() if event.text else b""

    def answer(self, answer: AnyAnswer) -> bytes:
        return f"HELLO {answer.nick}\n".upper().encode() if type(answer) is Welcome else b""

    def frame(self, records: bytes) -> bytes:
        return records

    def bye(self, bye: Bye) -> bytes:
        return b"BYE\n"

    def boundary(self, sent: bytes, offset: int) -> int:
        return end_of_line(sent, offset)


class ShoutSession(LineSession):
    """`SHOUT name`, then a message a line; an empty one ends it."""

    def take_line(self, line: bytes, group: list[Draft]) -> None:
        text = line.decode("utf-8", "replace")
        if text.startswith("SHOUT "):
            group += (Speaks(Shout(), frozenset({"message"})), Hello(text[6:]))
        else:
            group.append(Request("quit") if text == "." else Request("message", text.lower()))


class ShoutWay:
    """See `chatroom.protocol.session.WayIn`."""

    name = "shout"
    late = False

    def claims(self, head: bytes) -> bool | None:
        word = b"SHOUT "
        return head.startswith(word) or (None if word.startswith(head) else False)

    def open(self, visit: Visit, *, entered: bool) -> ShoutSession:
        return ShoutSession(visit.rules)

    def turn_away(self, refused: Refused) -> bytes:
        return refused.code.upper().encode()


async def test_it_talks_with_all_the_others(
    open_room: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatroom.server.serving.doorstep.WAYS", (ShoutWay(), *WAYS))
    monkeypatch.setattr("chatroom.protocol.opening.ENTER_SECONDS", 60)  # it takes its time
    house = await open_room()
    alice = await house.enter("alice")
    bob = await house.enter_json("bob", presence=False)
    carol = await house.knock()
    for byte in b"SHOUT carol\n":
        await carol.send(bytes([byte]))
    assert await carol.line() == "HELLO CAROL"
    assert await alice.lines(2) == ["-- bob joined", "-- carol joined"]
    await carol.say("HI THERE")
    assert await alice.line() == "carol: hi there"
    assert (await bob.object())["text"] == "hi there"
    assert await carol.line() == "CAROL! HI THERE"  # it wants its own
    await alice.say("/me waves", "hello")
    assert await carol.lines(2) == ["ALICE! WAVES", "ALICE! HELLO"]
    await carol.say(".")
    assert await carol.rest() == ["BYE"]
    assert await alice.line() == "-- carol left (quit)"
