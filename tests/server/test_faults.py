"""Whatever goes wrong with one connection, or in the middle of anything, the room stays whole."""

from __future__ import annotations

import contextlib
import logging
import random
import re
import socket
import threading
from typing import TYPE_CHECKING

import pytest
import trio

from chatroom.event import CloseReason
from chatroom.journal.memory import MemoryJournal
from chatroom.protocol.jsonlines import session as jsonlines
from chatroom.protocol.plain import session as plain
from chatroom.protocol.requests import Refusal, Request
from chatroom.room.room import Room
from chatroom.room.text import TextRules
from chatroom.server.service import Service
from chatroom.settings import NOTSENT_LOWAT_BYTES, UNLIMITED, RateSettings, ServerSettings
from chatroom.transport.listening import open_listeners
from tests.conftest import OpenHouse
from tests.protocol.fuzz import fuzzed_line
from tests.visiting import PATIENCE_SECONDS, House, Visitor

if TYPE_CHECKING:
    from trio_typing import TaskStatus

#: Of empty lines: a few seconds of work for a server that does nothing else.
MOST_MEGABYTES = 100

FUZZED_LINES = 5_000  # in each format, each mode and each of two cuts; elsewhere many more


@pytest.mark.parametrize("json", [False, True])
async def test_fuzzed_lines_get_the_same_answers_for_every_cut(
    open_room: OpenHouse, json: bool
) -> None:
    rng = random.Random(9009)
    lines = [fuzzed_line(rng, json=json) for _ in range(FUZZED_LINES)]
    data = (b"/json {}\n" if json else b"/nick fuzz\n") + b"\n".join(lines) + b"\n"
    answers = []
    for chunk_bytes in (65536, 700):
        house = await open_room(recent_events=3)
        witness = await house.enter("witness")
        visitor = await house.knock()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send_cut, visitor, data, chunk_bytes)
            answers.append([_without_chance(line) for line in await visitor.rest()])
        await witness.say("/quit")
        heard = await witness.rest()
        assert not any(character in "".join(heard) for character in "\x00\x1b\u202e")
        assert set(house.service.statistics().ended) == {CloseReason.QUIT}
    assert answers[0] == answers[1]
    assert len(answers[0]) > FUZZED_LINES / 10


async def _send_cut(visitor: Visitor, data: bytes, chunk_bytes: int) -> None:
    rng = random.Random(chunk_bytes)
    start = 0
    while start < len(data):
        end = start + rng.randrange(1, 2 * chunk_bytes)
        await visitor.send(data[start:end])
        start = end
    await visitor.stream.send_eof()


def _without_chance(line: str) -> str:
    line = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{6}Z)?", "TIME", line)
    return re.sub(r'"(session|token)":"[^"]*"', r'"\1":"…"', line)


async def test_a_fault_in_the_room_ends_one_connection_only(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    say = Room.say

    def faulty(room: Room, who: int, time: str, kind: str, text: str, *rest: bool) -> object:
        if text == "boom":
            raise RuntimeError("planted")
        return say(room, who, time, kind, text, *rest)

    monkeypatch.setattr(Room, "say", faulty)
    alice = await house.enter("alice")
    bob = await house.enter("bob")
    carol = await house.enter_json("carol")
    await bob.say("before", "boom", "after")
    assert await bob.rest() == [
        "-- carol joined",
        "-- bye (protocol_error): a fault in the server",
    ]
    assert await alice.lines(4) == [
        "-- bob joined",
        "-- carol joined",
        "bob: before",
        "-- bob left (protocol_error)",
    ]
    await alice.say("still here")
    assert [(await carol.object())["kind"] for _ in range(3)] == ["message", "leave", "message"]
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == "connection 2: fault in the server"
    assert record.exc_info is not None


@pytest.mark.parametrize("json", [False, True])
async def test_a_fault_in_reading_ends_one_connection_only(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    json: bool,
) -> None:
    module, name = (jsonlines, "parse_request") if json else (plain, "parse_line")
    parse = getattr(module, name)

    def faulty(line: bytes, rules: TextRules) -> Request | Refusal:
        if b"boom" in line:
            raise RuntimeError("planted")
        parsed: Request | Refusal = parse(line, rules)
        return parsed

    monkeypatch.setattr(module, name, faulty)
    alice = await house.enter("alice")
    bob = await house.knock()
    await bob.say('/json {"nick":"bob"}' if json else "/nick bob")
    assert await alice.line() == "-- bob joined"
    await bob.line()
    await bob.say("boom")
    assert await alice.line() == "-- bob left (protocol_error)"
    assert await bob.rest() == []
    await house.until(lambda: house.service.statistics().connections == 1)
    assert "connection 2: fault in the server" in caplog.messages


class _CancelAt(trio.abc.Instrument):
    """Cancels a scope when so many steps of tasks have been run."""

    def __init__(self, scope: trio.CancelScope, steps: int) -> None:
        self.scope = scope
        self._left = steps

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left == 0:
            self.scope.cancel()


@pytest.mark.parametrize("steps", range(4, 124, 6))
async def test_cancelled_at_any_step_the_server_ends_whole(mode: str, steps: int) -> None:
    """No exception, no socket left open, no number without its event, no visitor left waiting."""
    await _cancel_at(mode, steps, UNLIMITED)


@pytest.mark.parametrize("steps", range(20, 200, 12))
async def test_cancelled_while_talkers_are_held_back_it_ends_whole_too(
    mode: str, steps: int
) -> None:
    await _cancel_at(mode, steps, RateSettings(talk_per_second=500, talk_burst=2))


async def _cancel_at(mode: str, steps: int, rates: RateSettings) -> None:
    journal = MemoryJournal(1000)
    service = Service(ServerSettings(port=0, mode=mode, rates=rates), journal)
    house = House(service, journal)
    instrument = _CancelAt(trio.CancelScope(), steps)
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            await nursery.start(_serve_until, service, instrument)
            for nick in ("alice", "bob"):
                nursery.start_soon(_chat_to_the_end, house, nick, rates is UNLIMITED)
    house.close()
    assert instrument.scope.cancelled_caught
    assert service.statistics().connections == 0
    events = journal.recent.after(0, 1000)
    assert [event.seq for event in events] == list(range(1, service.statistics().seq + 1))


async def _serve_until(  # noqa: ASYNC114 - started where it is awaited
    service: Service, instrument: _CancelAt, *, task_status: TaskStatus[Service]
) -> None:
    with instrument.scope:
        async with trio.open_nursery() as nursery:
            task_status.started(await nursery.start(service.run))
            trio.lowlevel.add_instrument(instrument)
    trio.lowlevel.remove_instrument(instrument)


async def _chat_to_the_end(house: House, nick: str, renames: bool) -> None:
    """Talk, ask and rename until the server is gone."""
    names = (f"/nick {nick}x", f"/nick {nick}") if renames else ("one", "two")
    with contextlib.suppress(OSError, EOFError, trio.BrokenResourceError):
        visitor = await house.knock()
        await visitor.say(f"/nick {nick}")
        while True:
            await visitor.say("hello", "/history 2", *names, "/ping")
            while await visitor.line() != "-- pong":
                pass


async def test_what_is_set_on_every_socket() -> None:
    (listener,) = await open_listeners(ServerSettings(port=0))
    with listener, socket.create_connection(listener.getsockname()):
        await trio.lowlevel.wait_readable(listener)
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            lowat = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
            timeout_ms = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            idle_seconds = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            interval_seconds = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
            probes = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
    assert lowat == NOTSENT_LOWAT_BYTES
    # Who vanished just before it was to be asked, and was sent something then.
    assert idle_seconds + timeout_ms / 1000 == ServerSettings.lost_seconds
    # All probes but one may be lost on the way.
    assert idle_seconds + (probes - 1) * interval_seconds < timeout_ms / 1000


async def test_a_flood_of_empty_lines_before_the_hello_keeps_nobody_waiting(
    open_room: OpenHouse,
) -> None:
    house = await open_room()
    flooding, stop = threading.Event(), threading.Event()

    def flood() -> int:
        """Megabytes sent, from a thread: it goes on while Trio's loop does not."""
        with socket.create_connection(("127.0.0.1", house.service.port)) as sock:
            for sent in range(MOST_MEGABYTES):
                sock.sendall(b"\n" * 1_000_000)
                flooding.set()
                if stop.is_set():
                    return sent
        return MOST_MEGABYTES

    sent: list[int] = []

    async def run_flood() -> None:
        sent.append(await trio.to_thread.run_sync(flood))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_flood)
        await trio.to_thread.run_sync(flooding.wait)
        visitor = await house.enter("visitor")
        await visitor.settle()
        stop.set()
    assert sent[0] < MOST_MEGABYTES
