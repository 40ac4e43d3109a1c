"""A turn in which one call, whichever, finds no memory: the room goes on, or the server ends."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from chatroom.event import Event, Gap
from chatroom.journal.sqlite import SqliteJournal, open_journal
from chatroom.protocol.requests import Request
from chatroom.server.doubt import InDoubtError
from chatroom.server.turn.dispatcher import Dispatcher
from chatroom.server.turn.inlet import Said
from chatroom.settings import FeedSettings, JournalSettings
from tests.failing import Failing
from tests.visiting import House, Visitor, open_house

#: What is said in the turn that fails, and what of: of the rest nothing is taken back.
_TALK: Sequence[dict[str, Any]] = (
    {"kind": "message", "text": "one", "id": "1"},
    {"kind": "message", "text": "two", "id": "2"},
)


class _Turn:
    """The dispatcher's turn, in which `failing` is at work where a request of `kind` is dealt with,
    once.
    """

    def __init__(self, kind: str) -> None:
        self.failing: Failing | None = None
        self.failed = trio.Event()
        self._kind = kind
        self._turn = Dispatcher.turn

    def arm(self, failing: Failing) -> None:
        self.failing, self.failed = failing, trio.Event()

    def method(self) -> Callable[[Dispatcher, Sequence[Said]], None]:
        """In the dispatcher's place of its own."""

        def turn(dispatcher: Dispatcher, batch: Sequence[Said]) -> None:
            self._take(dispatcher, batch)

        return turn

    def _take(self, dispatcher: Dispatcher, batch: Sequence[Said]) -> None:
        drafts = [draft for _, drafts in batch for draft in drafts]
        asked = any(isinstance(draft, Request) and draft.kind == self._kind for draft in drafts)
        if self.failing is None or not asked:
            self._turn(dispatcher, batch)
            return
        failing, self.failing = self.failing, None
        try:
            with failing.at_work():
                self._turn(dispatcher, batch)
        finally:
            self.failed.set()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Hundreds of tracebacks are made and nobody reads them."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


async def _everything_fails(
    path: Path,
    mode: str,
    lines: Sequence[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    more: int,
) -> tuple[int, list[str]]:
    """Have each call fail in its turn. Returns how many did, and which ended the server, which is
    then started again on the same journal.
    """
    turn = _Turn(lines[0]["kind"])
    monkeypatch.setattr(Dispatcher, "turn", turn.method())
    number, over = 0, False
    ended: list[str] = []
    while not over:
        try:
            async with (
                open_journal(JournalSettings(path=str(path))) as journal,
                trio.open_nursery() as nursery,
            ):
                house = await open_house(nursery, mode, journal=journal)
                while not over:
                    number += 1
                    failing = Failing(number, more)
                    with trio.move_on_after(20) as patience:
                        await _visit(house, journal, turn, failing, lines)
                    assert not patience.cancelled_caught, failing.failed
                    over = not failing.failed
                nursery.cancel_scope.cancel()
        except* InDoubtError:
            ended.append(failing.failed)
        finally:
            house.close()
            journal._writer._thread.join(20)
    return number - 1, ended


async def _visit(
    house: House,
    journal: SqliteJournal,
    turn: _Turn,
    failing: Failing,
    lines: Sequence[dict[str, Any]],
) -> None:
    """Alice says `lines`; the others hear it, or a gap, or are closed, and hear what comes then."""
    alice, carol = await house.enter_json(), await house.enter_json()
    bob = await house.enter(f"bob{house.service.room.seq}")
    for visitor in (alice, carol):
        await visitor.say({"kind": "ping"})
        while (await visitor.object())["kind"] != "pong":
            pass
    last = house.service.room.seq
    turn.arm(failing)
    await alice.say(*lines)
    await turn.failed.wait()
    try:
        eve = await house.enter_json(echo=True)
        await eve.say({"kind": "message", "text": "still here", "id": "3"})
        while (await eve.object())["kind"] != "ack":
            pass
    except (EOFError, OSError, trio.BrokenResourceError):
        await trio.sleep_forever()  # until the end of the server cancels this
    _check_numbers(await _heard(carol), last, failing.failed)
    await _heard(bob)
    kept = (await journal.after(last - 1, 1000)).events
    first = last
    for event in kept:
        assert first == (event.first if isinstance(event, Gap) else event.seq)
        first = 1 + (event.last if isinstance(event, Gap) else event.seq)
    kinds = {event.seq: event.kind for event in kept if isinstance(event, Event)}
    assert last in kinds, f"{failing.failed}: what was said before is out of its place"
    for answer in await _answers(alice, [line["id"] for line in lines]):
        if answer["kind"] == "ack":
            assert kinds[answer["seq"]] == lines[0]["kind"]
    for visitor in (alice, bob, carol, eve):
        await visitor.aclose()


async def _heard(visitor: Visitor) -> list[dict[str, Any]]:
    """The objects that it gets, until it hears eve or is closed."""
    heard = []
    with suppress(EOFError, trio.BrokenResourceError):
        while "still here" not in (line := await visitor.line()):
            if line.startswith("{"):
                heard.append(json.loads(line))
    return heard


async def _answers(visitor: Visitor, ids: Collection[str]) -> list[dict[str, Any]]:
    """What answers each of these, or what came before the end of the connection."""
    answers: list[dict[str, Any]] = []
    with suppress(EOFError, trio.BrokenResourceError):
        while len(answers) < len(ids):
            said = await visitor.object()
            if said.get("id") in ids:
                answers.append(said)
    return answers


def _check_numbers(heard: Sequence[dict[str, Any]], last: int, failed: str) -> None:
    """All that came after `last`, or after what was heard later than it came, came once and in
    order, or was said to be missing.
    """
    begun = False
    for said in heard:
        if said["kind"] == "gap" or "time" in said:
            first = said.get("from") or said["seq"]
            if not begun:
                last, begun = min(last, first - 1), True
            assert first == last + 1, f"{failed}: {heard}"
            last = said["to"] if said["kind"] == "gap" else said["seq"]


async def test_a_message_goes_to_all_or_is_a_gap(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, ended = await _everything_fails(tmp_path / "room.db", mode, _TALK, monkeypatch, 0)
    assert calls > 75
    # At its beginning and its end there is nobody to be closed for it, nor much that asks memory.
    assert all(call.endswith(("in Dispatcher.turn", "in Histogram.observe")) for call in ended)
    assert len(ended) < 12


async def test_a_change_of_the_room_that_is_not_told_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "room.db"
    rename = {"kind": "rename", "to": "alicia", "id": "1"}
    calls, ended = await _everything_fails(path, "epoll", [rename], monkeypatch, 0)
    assert len(ended) < calls / 5


@pytest.mark.parametrize("more", [1, 2, 5])
async def test_a_fault_while_one_is_dealt_with(
    tmp_path: Path, more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _everything_fails(tmp_path / "room.db", "epoll", _TALK, monkeypatch, more)


async def test_a_newcomer_for_whom_there_is_no_memory_is_closed_and_forgotten(
    house: House, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeps = {
        "epoll": "chatroom.server.serving.expecting.Expecting.add",
        "thread": "trio.Nursery.start_soon",
    }
    alice = await house.enter("alice")
    accepted = house.service.statistics().connections
    with monkeypatch.context() as patch:
        patch.setattr(keeps[mode], _refuse_memory)
        stranger = await house.knock()
        with suppress(trio.BrokenResourceError):
            assert not await stranger.receive()
    assert house.service.statistics().connections == accepted
    bob = await house.enter("bob")
    await bob.say("hello")
    assert await alice.lines(2) == ["-- bob joined", "bob: hello"]


async def test_a_newcomer_that_cannot_be_looked_at_is_closed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("chatroom.server.serving.acceptor.peer_name", _refuse_memory)
        stranger = await house.knock()
        with suppress(trio.BrokenResourceError):
            assert not await stranger.receive()
    await house.enter("bob")


async def test_a_feed_that_cannot_answer_goes_on(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = FeedSettings(port=0, interface="127.0.0.1")
    house = await open_house(nursery, "epoll", feed=settings)
    asked = trio.Event()

    def refuse(*_: object) -> None:
        asked.set()
        raise MemoryError

    _, welcome = await house.welcome("alice")
    monkeypatch.setattr("chatroom.feed.answering.Answering.answer", refuse)
    with socket.socket(type=socket.SOCK_DGRAM) as listener:
        listener.sendto(b"?", ("127.0.0.1", welcome["multicast"]["request_port"]))
        with trio.fail_after(20):
            await asked.wait()
    await house.enter("bob")
    house.close()
    house.service.drain()


async def test_who_cannot_be_told_that_it_is_stored_is_closed(
    tmp_path: Path, nursery: trio.Nursery, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_journal(JournalSettings(path=str(tmp_path / "room.db"))) as journal:
        house = await open_house(nursery, mode, journal=journal)
        alice, bob = await house.enter_json(), await house.enter("bob")
        with monkeypatch.context() as patch:
            patch.setattr("chatroom.protocol.jsonlines.render.JsonLines.answer", _refuse_memory)
            await alice.say({"kind": "message", "text": "hello", "id": "1"})
            assert await bob.line() == "guest1: hello"
            assert '"ack"' not in "".join(await alice.rest())
        assert await bob.line() == "-- guest1 left (lost)"
        house.close()
        house.service.drain()


def _refuse_memory(*_: object) -> None:
    raise MemoryError
