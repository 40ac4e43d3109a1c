"""The last events from before one came, and what happens while they are on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

import chatroom
from chatroom.client.terminal import conversation
from chatroom.client.terminal.colours import Colours
from chatroom.client.terminal.conversation import Conversation

if TYPE_CHECKING:
    from tests.client.fake import FakeConnection, FakeRoom, Line


class Paper:
    """A screen that keeps what it is shown."""

    def __init__(self, **_: object) -> None:
        self.lines: list[str] = []

    async def wait_drawn(self) -> None:
        await trio.lowlevel.checkpoint()

    async def show(self, lines: list[str]) -> None:
        await trio.lowlevel.checkpoint()
        self.lines += lines

    def refresh(self) -> None:
        pass


@pytest.fixture(autouse=True)
def paper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "Screen", Paper)


async def test_a_flood_meanwhile_is_kept_within_the_inbox(
    quick_clock: trio.testing.MockClock, fake: FakeRoom, nursery: trio.Nursery
) -> None:
    fake.happen("message", "bob", text="before")
    swallowed = trio.Event()

    def swallow(connection: FakeConnection, request: Line) -> bool:
        if request["kind"] != "history" or swallowed.is_set():
            return False
        swallowed.set()
        for number in range(300):
            fake.happen("message", "bob", text=f"number {number}.")
        return True

    fake.before = swallow
    async with chatroom.connect(port=fake.port, inbox_limit_bytes=10_000) as room:
        here = Conversation(room, Colours(wanted=False))
        paper = here._screen
        assert isinstance(paper, Paper)
        nursery.start_soon(here._listen, 20, nursery.cancel_scope)
        await swallowed.wait()
        await room.ping()
        assert room.waiting < 100  # the others are fetched again
        while not paper.lines[-1:] or "number 299." not in paper.lines[-1]:
            await trio.sleep(1)
        (complaint,) = [line for line in paper.lines if "can't be had" in line]
        heard = [line.rpartition(": ")[2] for line in paper.lines if ": number" in line]
    assert heard == [f"number {number}." for number in range(300)]
    assert paper.lines.index(complaint) == 1
    nursery.cancel_scope.cancel()


async def test_what_happens_meanwhile_is_shown_behind_what_was_before(
    quick_clock: trio.testing.MockClock, fake: FakeRoom, nursery: trio.Nursery
) -> None:
    fake.happen("message", "bob", text="before")

    def happen(connection: FakeConnection, request: Line) -> bool:
        if request["kind"] == "history":
            fake.happen("message", "bob", text="meanwhile")
        return False

    fake.before = happen
    async with chatroom.connect(port=fake.port) as room:
        here = Conversation(room, Colours(wanted=False))
        paper = here._screen
        assert isinstance(paper, Paper)
        nursery.start_soon(here._listen, 20, nursery.cancel_scope)
        while not paper.lines[-1:] or "meanwhile" not in paper.lines[-1]:
            await trio.sleep(1)
    assert [line.rpartition(": ")[2] for line in paper.lines[2:]] == ["before", "meanwhile"]
    nursery.cancel_scope.cancel()
