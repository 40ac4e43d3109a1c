"""A conversation ends when its connection has, whatever its session still has to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from chatroom.event import CloseReason
from chatroom.protocol.plain.session import PlainSession
from chatroom.protocol.requests import Ending, Request
from chatroom.server.connection import Connection
from chatroom.server.serving.conversation import converse, run_blocking
from tests.irc.speaking import connect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatroom.protocol.requests import Draft
    from chatroom.protocol.session import Session, Wait
    from tests.conftest import OpenHouse
    from tests.visiting import House


class _Endless:
    """A session that asks again until it is answered; see `chatroom.protocol.session.Session`."""

    wait: Wait | None = None
    successor = None
    pending = True

    def feed(self, chunk: bytes) -> None:
        """It says all it has without being fed."""

    def expire(self) -> None:
        raise AssertionError

    def drafts(self) -> Sequence[Draft]:
        return [Request("people", id="1", limit=0)]


class _PaperLine:
    """See `chatroom.server.serving.conversation.Line`: a connection that the room ends at its third
    word, and whose stream ends then.
    """

    def __init__(self) -> None:
        self.connection = Connection(1, "paper")
        self.session: Session = _Endless()
        self.submitted = 0

    def receive_nowait(self) -> bytes | None:
        return b"hello\n"

    async def receive(self) -> bytes:
        return b""

    async def receive_within(self, wait: Wait) -> bytes | None:
        raise AssertionError

    async def submit(self, drafts: Sequence[Draft], *, more: bool) -> None:
        assert self.connection.close_reason is None, "nobody listens any more"
        self.submitted += 1
        if self.submitted == 3:
            self.connection.close_reason = CloseReason.KICKED

    async def failure(self) -> OSError | None:
        return None


def test_who_has_ended_asks_no_more() -> None:
    line = _PaperLine()
    assert run_blocking(converse(line)) == Ending(CloseReason.QUIT, "")
    assert line.submitted == 3


@pytest.mark.parametrize("question", ["NAMES #lobby", "WHO #lobby"])
async def test_a_question_behind_a_quit_holds_nothing_up(house: House, question: str) -> None:
    client = await connect(house)
    await client.say("NICK eva", "USER e 0 * :E", "JOIN #lobby", "QUIT", question)
    assert (await client.rest())[-1].command == "ERROR"
    await client.visitor.aclose()
    await house.until(lambda: house.service.statistics().connections == 0)


async def test_a_talker_that_is_never_done_does_not_outlast_the_grace(
    open_room: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = False
    monkeypatch.setattr(PlainSession, "pending", property(lambda _: not over))
    monkeypatch.setattr(PlainSession, "drafts", lambda _: [Request("ping")])
    house = await open_room(grace_seconds=0.1)
    visitor = await house.knock()
    await visitor.say("/ping")
    await visitor.line()
    house.service.drain()
    with trio.move_on_after(5):
        await house.until(lambda: house.service.statistics().connections == 0)
    ended_itself, over = not house.service.statistics().connections, True
    assert ended_itself
