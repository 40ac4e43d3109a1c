"""Coming back: from memory or from disk, over a restart, while the room talks; nothing twice."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatroom.journal.limits import RESERVE_EVENTS
from chatroom.journal.sqlite import open_journal
from chatroom.settings import MAX_REPLAY_EVENTS
from tests.journal.disk import SQLITE_FULL, SQLITE_OK, Disk
from tests.journal.talk import settings_for
from tests.visiting import House, Visitor, open_house


@asynccontextmanager
async def room(path: Path, mode: str, **options: Any) -> AsyncIterator[House]:
    """A server with a journal, from its start to its clean end."""
    journal_options = {key: options.pop(key) for key in ("recent_events",) if key in options}
    settings = settings_for(path, **journal_options)
    async with open_journal(settings) as journal, trio.open_nursery() as nursery:
        house = await open_house(nursery, mode, journal=journal, **options)
        try:
            yield house
        finally:
            house.close()  # before the drain, which would give the visitors time to read
        house.service.drain()


def seqs(objects: list[dict[str, Any]]) -> list[int | tuple[int, int]]:
    """Events by their numbers, gaps as pairs."""
    return [(o["from"], o["to"]) if o["kind"] == "gap" else o["seq"] for o in objects]


async def events_up_to(visitor: Visitor, seq: int) -> list[dict[str, Any]]:
    """What comes, up to the event (or gap) with that number."""
    events = []
    while True:
        event = await visitor.object()
        events.append(event)
        if event.get("seq", event.get("to")) == seq:
            return events


async def say_and_store(visitor: Visitor, first: int, last: int) -> int:
    """Say lines and wait for the ack of the last; returns its number."""
    lines = [{"kind": "message", "text": f"line {n}"} for n in range(first, last)]
    await visitor.say(*lines, {"kind": "message", "text": f"line {last}", "id": str(last)})
    while (answer := await visitor.object())["kind"] != "ack":
        pass
    assert answer["id"] == str(last)
    seq: int = answer["seq"]
    return seq


@pytest.mark.parametrize("behind", [3, 50, 3 * MAX_REPLAY_EVENTS])
async def test_everything_missed_and_then_live(path: Path, mode: str, behind: int) -> None:
    async with room(path, mode, recent_events=10) as house:
        talker = await house.enter_json("talker", presence=False)
        last = await say_and_store(talker, 1, behind)
        back, welcome = await house.welcome("back", after=last - behind, presence=False)
        assert welcome["resumed"] == "complete"
        assert "missed" not in welcome
        assert seqs(await events_up_to(back, last)) == [*range(last - behind + 1, last + 1)]
        live = await say_and_store(talker, 1, 1)
        assert (await back.object())["seq"] == live


async def test_presence_comes_with_the_replay_if_it_is_wanted(path: Path, mode: str) -> None:
    async with room(path, mode, recent_events=1) as house:
        talker = await house.enter_json("talker")
        last = await say_and_store(talker, 1, 5)
        back, welcome = await house.welcome("back", after=0)
        assert welcome["resumed"] == "complete"
        events = await events_up_to(back, last + 1)
        assert [event["kind"] for event in events] == ["join", *["message"] * 5, "join"]
        quiet, _ = await house.welcome("quiet", after=0, presence=False)
        events = await events_up_to(quiet, last)
        assert [event["kind"] for event in events] == ["message"] * 5


async def test_over_a_clean_restart(path: Path, mode: str) -> None:
    async with room(path, mode) as house:
        talker, welcome = await house.welcome("talker", presence=False)
        session = welcome["session"]
        last = await say_and_store(talker, 1, 20)
    async with room(path, mode, recent_events=5) as house:
        back, welcome = await house.welcome("b", after=5, session=session, presence=False)
        assert (welcome["session"], welcome["resumed"]) == (session, "complete")
        assert seqs(await events_up_to(back, last)) == [*range(6, last + 1)]


async def test_over_a_crash(path: Path, mode: str) -> None:
    async with room(path, mode) as house:
        talker, welcome = await house.welcome("talker", presence=False)
        old = welcome["session"]
        await say_and_store(talker, 1, 20)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # As if it had not come to its end.
        connection.execute("UPDATE state SET clean = 0, reserved_to = ?", (RESERVE_EVENTS,))
        (last,) = connection.execute("SELECT max(seq) FROM event").fetchone()
    async with room(path, mode) as house:
        # It had seen two events more than were written, and their numbers are not used again.
        back, welcome = await house.welcome("back", after=last + 2, session=old)
        assert welcome["session"] != old
        missed = RESERVE_EVENTS - last - 2
        assert (welcome["resumed"], welcome["missed"]) == ("partial", missed)
        first = RESERVE_EVENTS + 1
        assert seqs(await events_up_to(back, first)) == [(last + 3, RESERVE_EVENTS), first]
        # Without a session the number is one of this log, which it is.
        again, welcome = await house.welcome("again", after=last - 1)
        assert (welcome["resumed"], welcome["missed"]) == ("partial", RESERVE_EVENTS - last)
        assert seqs(await events_up_to(again, RESERVE_EVENTS)) == [last, (last + 1, RESERVE_EVENTS)]


async def test_a_session_that_is_not_ours(path: Path, mode: str) -> None:
    async with room(path, mode) as house:
        talker = await house.enter_json("talker", presence=False)
        last = await say_and_store(talker, 1, 3)
        back, welcome = await house.welcome("back", after=2, session="ELSEWHERE0", presence=False)
        assert (welcome["resumed"], welcome["missed"]) == ("partial", 0)
        assert seqs(await events_up_to(back, last)) == [*range(2, last + 1)]


async def test_a_gap_in_the_middle(path: Path, mode: str, disk: Disk) -> None:
    async with room(path, mode, recent_events=2) as house:
        talker = await house.enter_json("talker", presence=False)
        last = await say_and_store(talker, 1, 3)
        disk.on_write = lambda name: SQLITE_FULL
        await talker.say({"kind": "message", "text": "lost", "id": "x"})
        answer = await talker.object()
        assert (answer["kind"], answer["code"], answer["id"]) == ("error", "not_stored", "x")
        disk.on_write = lambda name: SQLITE_OK
        end = await say_and_store(talker, 1, 3)
        back, welcome = await house.welcome("back", after=last - 1, presence=False)
        assert (welcome["resumed"], welcome["missed"]) == ("partial", 1)
        events = await events_up_to(back, end)
        assert seqs(events) == [last, (last + 1, last + 1), *range(last + 2, end + 1)]
        reader = await house.enter("reader")
        await reader.say("/history 6")
        lines = "\n".join(await reader.lines(8))
        assert f"-- a gap: #{last + 1} to #{last + 1} are missing" in lines


async def test_a_gap_at_the_end_of_a_piece_is_told_once(
    path: Path, mode: str, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatroom.server.turn.replay.FIRST_REPLAY_EVENTS", 2)
    monkeypatch.setattr("chatroom.server.turn.replay.MAX_REPLAY_EVENTS", 2)
    async with room(path, mode, recent_events=1) as house:
        talker = await house.enter_json("talker", presence=False)
        last = await say_and_store(talker, 1, 1)
        disk.on_write = lambda name: SQLITE_FULL
        for id in ("x", "y"):
            await talker.say({"kind": "message", "text": "lost", "id": id})
            assert (await talker.object())["code"] == "not_stored"
        disk.on_write = lambda name: SQLITE_OK
        end = await say_and_store(talker, 1, 3)
        back, _ = await house.welcome("back", after=last - 1, presence=False)
        events = await events_up_to(back, end)
        assert seqs(events) == [last, (last + 1, last + 2), *range(last + 3, end + 1)]


async def test_history_beyond_memory(path: Path, mode: str) -> None:
    async with room(path, mode, recent_events=3) as house:
        talker = await house.enter_json("talker", presence=False)
        last = await say_and_store(talker, 1, 30)
        await talker.say({"kind": "history", "after": 2, "limit": 4, "id": "a"})
        answer = await talker.object()
        assert (seqs(answer["events"]), answer["more"], answer["id"]) == ([3, 4, 5, 6], True, "a")
        await talker.say({"kind": "history", "before": 5, "limit": 9})
        answer = await talker.object()
        assert (seqs(answer["events"]), answer["more"]) == ([1, 2, 3, 4], False)
        await talker.say({"kind": "history"})
        assert seqs((await talker.object())["events"]) == [*range(1, last + 1)]
        path.rename(path.with_name("away"))
        await talker.say({"kind": "history", "after": 2, "id": "b"}, {"kind": "ping"})
        answer = await talker.object()
        assert (answer["kind"], answer["code"]) == ("error", "history_unavailable")
        assert (await talker.object())["kind"] == "pong"
        visitor, _ = await house.welcome("visitor", after=2)
        assert (await visitor.object())["code"] == "history_unavailable"
        assert (await visitor.object())["reason"] == "lost"
        path.with_name("away").rename(path)


async def test_search(path: Path, mode: str) -> None:
    async with room(path, mode, recent_events=3) as house:
        talker = await house.enter_json("talker", presence=False)
        last = await say_and_store(talker, 1, 30)
        await talker.say({"kind": "message", "text": "Déployé: 7 hosts", "id": "x"})
        assert (await talker.object())["kind"] == "ack"
        await talker.say({"kind": "search", "text": "deplo*", "id": "a"})
        answer = await talker.object()
        assert (answer["kind"], answer["id"], answer["more"]) == ("history", "a", False)
        assert [event["text"] for event in answer["events"]] == ["Déployé: 7 hosts"]
        await talker.say({"kind": "message", "text": "said said", "id": "y"})
        assert (await talker.object())["kind"] == "ack"
        await talker.say({"kind": "search", "text": "said", "before": last + 1, "limit": 50})
        assert (await talker.object())["events"] == []
        await talker.say({"kind": "search", "text": '"*( OR', "limit": 1})
        assert (await talker.object())["events"] == []


async def test_a_slow_reader_is_waited_for_and_nobody_else(path: Path, mode: str) -> None:
    """Memory for each who comes back is bounded: pages are read from disk as fast as it reads."""
    async with room(
        path, mode, recent_events=10, outbox_limit_bytes=1_000_000, max_text_bytes=1024
    ) as house:
        talker = await house.enter_json("talker", presence=False)
        text = "x" * 1000
        for n in range(50):
            lines = [{"kind": "message", "text": text} for _ in range(99)]
            await talker.say(*lines, {"kind": "message", "text": text, "id": str(n)})
            assert (await talker.object())["kind"] == "ack"
        slow = await house.knock(receive_buffer_bytes=4096)
        await slow.say('/json {"nick":"slow","after":0,"presence":false}')
        assert (await slow.object())["resumed"] == "complete"
        # 5 MB are on their way, which its outbox may not hold; it says nothing of being slow.
        healthy = await house.enter_json("healthy", presence=False)
        live = await say_and_store(talker, 1, 1)
        assert (await healthy.object())["seq"] == live
        assert seqs(await events_up_to(slow, live)) == [*range(2, 5002), live]


async def test_acks_wait_for_the_disk_and_delivery_does_not(
    path: Path, mode: str, disk: Disk
) -> None:
    moves = threading.Event()

    def hang(name: str) -> int:
        moves.wait(20)
        return SQLITE_OK

    async with room(path, mode) as house:
        talker = await house.enter_json("talker", presence=False)
        reader = await house.enter_json("reader", presence=False)
        disk.on_sync = hang
        for n in range(20):
            await talker.say({"kind": "message", "text": str(n), "id": str(n)})
            assert (await reader.object())["text"] == str(n)
        await talker.say({"kind": "ping"})
        assert (await talker.object())["kind"] == "pong"  # no ack yet
        moves.set()
        acks = [await talker.object() for _ in range(20)]
        assert [(ack["kind"], ack["id"]) for ack in acks] == [("ack", str(n)) for n in range(20)]


async def read_to_the_end(visitor: Visitor) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while not events or events[-1].get("text") != "the end":
        events.append(await visitor.object())
    return events


async def test_many_at_once_while_the_room_talks(path: Path, mode: str) -> None:
    """However fast the room is, whoever comes back goes over to live without a gap."""
    told: dict[int, list[dict[str, Any]]] = {}

    async def talk_on(talker: Visitor) -> None:
        for n in range(50):
            await talker.say(*({"kind": "message", "text": f"{n} {k}"} for k in range(20)))

    async def come_back(after: int) -> None:
        visitor, welcome = await house.welcome(f"v{after}", after=after, presence=False)
        assert welcome["resumed"] == "complete"
        told[after] = await read_to_the_end(visitor)

    async def stay(reader: Visitor) -> None:
        told[0] = await read_to_the_end(reader)

    async with room(path, mode, recent_events=50) as house:
        talker = await house.enter_json("talker", presence=False)
        reader = await house.enter_json("reader", presence=False)
        async with trio.open_nursery() as everybody:
            await say_and_store(talker, 1, 700)
            everybody.start_soon(stay, reader)
            async with trio.open_nursery() as rush:
                rush.start_soon(talk_on, talker)
                for after in range(20, 620, 20):
                    everybody.start_soon(come_back, after)
            await talker.say({"kind": "message", "text": "the end"})
    assert len(told) == 31
    for after, events in told.items():
        assert events == [event for event in told[0] if event["seq"] > after]


async def follow(house: House, known: list[dict[str, Any]], limit_bytes: int | None) -> None:
    """Read on from what is known, and break off after so many bytes (None: at the end)."""
    visitor = await house.knock()
    hello = {"presence": False, "after": known[-1]["seq"] if known else 0}
    await visitor.say(f"/json {json.dumps(hello)}")
    data = b""
    while limit_bytes is None or len(data) < limit_bytes:
        chunk = await visitor.stream.receive_some(65536)
        data += chunk
        if not chunk or b'"text":"the end"' in data:
            break
    await visitor.aclose()
    whole = data[:limit_bytes].rpartition(b"\n")[0].splitlines()
    objects = [json.loads(line) for line in whole if line.startswith(b"{")]
    known += [event for event in objects if event["kind"] == "message"]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 60)), max_size=6))
async def test_cut_at_any_byte_and_back_after_any_time(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int]]
) -> None:
    """The promise: in the end one has exactly what somebody saw whose connection never broke."""
    path = tmp_path_factory.mktemp("resume") / "room.db"
    async with room(path, "epoll", recent_events=20) as house:
        talker = await house.enter_json("talker", presence=False)
        reader = await house.enter_json("reader", presence=False)
        known: list[dict[str, Any]] = []
        for limit_bytes, said_meanwhile in cuts:
            await say_and_store(talker, 1, 1 + said_meanwhile)
            # There is enough to be read: else it would wait for what nobody says.
            await say_and_store(talker, 1, 40)
            await follow(house, known, limit_bytes)
        await talker.say({"kind": "message", "text": "the end"})
        await follow(house, known, None)
        assert known == await read_to_the_end(reader)
