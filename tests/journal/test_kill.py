"""`kill -9` in the middle of a burst, again and again: what an ack, a number and a gap are worth.

CHATROOM_KILL_CYCLES=5000 makes it longer, CHATROOM_KILL_SEED another one.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from tests.visiting import PATIENCE_SECONDS, Visitor

CYCLES = int(os.environ.get("CHATROOM_KILL_CYCLES", "50"))
SEED = int(os.environ.get("CHATROOM_KILL_SEED", "20261122"))
TALKERS = 3
BURST = 120  # messages of each talker; the server seldom lives long enough for all of them

Content = tuple[str, str, str]  # kind, nick, and what was said


def content(event: dict[str, Any]) -> Content:
    return event["kind"], event["nick"], event.get("text", event.get("reason", ""))


@dataclass
class Record:
    """What the clients know, over all lives of the server."""

    seen: dict[int, Content] = field(default_factory=dict)  #: by any reader, by number
    acked: dict[int, str] = field(default_factory=dict)  #: number to text
    texts: dict[str, str] = field(default_factory=dict)  #: of each id
    history: dict[int, Content] = field(default_factory=dict)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    read_to: int = 0  #: what has been read of the history
    acked_one: trio.Event = field(default_factory=trio.Event)  #: since this was set anew

    def see(self, event: dict[str, Any]) -> None:
        """A number is one event for ever."""
        assert self.seen.setdefault(event["seq"], content(event)) == content(event)

    def take_page(self, items: list[dict[str, Any]]) -> None:
        for item in items:
            if item["kind"] == "gap":
                assert item["from"] == self.read_to + 1
                self.gaps.append((item["from"], item["to"]))
                self.read_to = item["to"]
            else:
                assert item["seq"] == self.read_to + 1, "a hole that no gap says"
                self.history[item["seq"]] = content(item)
                self.read_to = item["seq"]

    def check(self) -> None:
        """Everything that was promised, for all that has been read of the history."""
        for seq, text in self.acked.items():
            assert self.history[seq][2] == text
        for first, last in self.gaps:
            # Nothing is left out on suspicion: this is what one life has said and not stored.
            assert last - first < TALKERS * BURST + 100
        for seq, event in self.seen.items():
            if seq in self.history:
                assert self.history[seq] == event
            else:
                assert any(first <= seq <= last for first, last in self.gaps)
        said = [text for kind, _, text in self.history.values() if kind == "message"]
        assert len(said) == len(set(said)), "something is there twice"


class Server:
    """A server on one journal that is killed and started again."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout

    async def _order(self, word: str) -> str:
        with trio.fail_after(PATIENCE_SECONDS):
            await self._stdin.send_all(f"{word}\n".encode())
            answer = b""
            while not answer.endswith(b"\n"):
                chunk = await self._stdout.receive_some(100)
                assert chunk, "the host of the servers has ended"
                answer += chunk
        return answer.decode().strip()

    async def start(self) -> None:
        self.port = int(await self._order("start"))

    async def kill(self) -> None:
        assert await self._order("kill") == "dead"

    async def enter(self, **hello: Any) -> tuple[Visitor, dict[str, Any]]:
        visitor = Visitor(await trio.open_tcp_stream("127.0.0.1", self.port))
        await visitor.say(f"/json {json.dumps(hello)}")
        welcome = await visitor.object()
        assert welcome["kind"] == "welcome", welcome
        return visitor, welcome


@asynccontextmanager
async def server_on(path: Path) -> AsyncIterator[Server]:
    async with trio.open_nursery() as nursery:
        command = [sys.executable, "-m", "tests.journal.kill_host", str(path)]
        process: trio.Process = await nursery.start(
            lambda task_status: trio.run_process(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, task_status=task_status
            )
        )
        server = Server(process)
        yield server
        await process.stdin.aclose()  # type: ignore[union-attr]


async def listen(visitor: Visitor, record: Record) -> None:
    """Take note of events and acks until the connection breaks."""
    try:
        while True:
            said = await visitor.object()
            if said["kind"] == "ack":
                record.acked[said["seq"]] = record.texts[said["id"]]
                record.acked_one.set()
            elif "seq" in said and said["kind"] != "welcome":
                record.see(said)
    except (EOFError, trio.BrokenResourceError):
        await visitor.aclose()


async def burst(visitor: Visitor, name: str, record: Record) -> None:
    """Say a lot as fast as it goes, until the connection breaks."""
    try:
        for n in range(BURST):
            said = f"{name} says {n}"
            record.texts[said] = said
            await visitor.say({"kind": "message", "text": said, "id": said})
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass  # `listen` closes what has broken


async def one_life(server: Server, record: Record, cycle: int, lot: random.Random) -> None:
    """A burst, and SIGKILL after so many acks as the lot says."""
    acks = lot.choice([0, 1, lot.randrange(50), lot.randrange(300)])
    enough = len(record.acked) + acks
    async with trio.open_nursery() as nursery:
        reader, _ = await server.enter(nick=f"reader{cycle}")
        nursery.start_soon(listen, reader, record)
        for n in range(TALKERS):
            name = f"talker{cycle}-{n}"
            talker, _ = await server.enter(nick=name, presence=False)
            nursery.start_soon(listen, talker, record)
            nursery.start_soon(burst, talker, name, record)
        with trio.move_on_after(PATIENCE_SECONDS):
            while len(record.acked) < enough:
                record.acked_one = trio.Event()
                await record.acked_one.wait()
        await server.kill()


async def read_on(server: Server, record: Record) -> None:
    """Page through the history, from where it was left off."""
    visitor, _ = await server.enter(presence=False)
    more = True
    while more:
        await visitor.say({"kind": "history", "after": record.read_to, "limit": 1000})
        page = await visitor.object()
        while page["kind"] != "history":
            page = await visitor.object()
        record.take_page(page["events"])
        more = page["more"]
    await visitor.aclose()


async def test_kill_dash_9(path: Path) -> None:
    lot = random.Random(SEED)
    record = Record()
    async with server_on(path) as server:
        for cycle in range(CYCLES):
            await server.start()
            await read_on(server, record)
            record.check()
            await one_life(server, record, cycle, lot)
            with closing(sqlite3.connect(path)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        await server.start()
        await read_on(server, record)
        record.check()
        await server.kill()
    # The test has seen what it is about: acks, and talk that was lost.
    assert len(record.acked) > 20 * CYCLES
    assert any(seq not in record.history for seq in record.seen)


async def test_a_disk_that_was_stuck(path: Path) -> None:
    """What was heard and not stored is the gap, to the number; the next event has the next one."""
    async with server_on(path) as server:
        await server.start()
        reader, _ = await server.enter(nick="reader")
        talker, _ = await server.enter(nick="talker")
        await talker.say({"kind": "message", "text": "stored", "id": "1"})
        while (said := await talker.object())["kind"] != "ack":
            pass
        stored = said["seq"]
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for n in range(5):
                await talker.say({"kind": "message", "text": f"not stored {n}"})
            while (said := await reader.object()).get("text") != "not stored 4":
                pass
            heard = said["seq"]
            await server.kill()
        await server.start()
        late, welcome = await server.enter(nick="late", after=stored)
        assert (welcome["missed"], welcome["seq"]) == (heard - stored, heard + 1)  # its own entry
        said = await late.object()
        assert (said["kind"], said["from"], said["to"]) == ("gap", stored + 1, heard)
        for visitor in (reader, talker, late):
            await visitor.aclose()
        await server.kill()
