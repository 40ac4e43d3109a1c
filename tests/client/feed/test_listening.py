"""`chatroom client --mode multicast`: the real program, on a pipe and at a terminal."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio

from chatroom.client.feed.lines import json_line, plain_line, statistics_lines
from chatroom.client.feed.listening import listen_with
from chatroom.client.options import ConnectOptions
from chatroom.errors import ChatroomError
from chatroom.feed.broadcast import Feed
from chatroom.feed.group import Group, open_sending
from chatroom.feed.listener import ListenOptions
from chatroom.feed.reassembly import SessionBegan, SessionEnded
from chatroom.feed.seal import Sealer
from chatroom.feed.statistics import ListenerStatistics
from chatroom.feed.stream import Delivered, Lost
from chatroom.protocol import moldudp64 as mold
from chatroom.protocol.answers import Feed as Feed_
from chatroom.protocol.answers import FeedKey, Multicast
from chatroom.settings import DEFAULT_GROUP
from tests.client.terminal.pty_client import PtyClient
from tests.feed.live import PATIENCE_SECONDS, event, open_feed, say
from tests.ports import free_port

CLIENT = [sys.executable, "-m", "chatroom", "client", "--mode", "multicast"]
SESSION = b"K3F9A2QZ01"


@pytest.fixture
async def feed(nursery: trio.Nursery) -> AsyncIterator[Feed]:
    yield await open_feed(nursery, free_port())
    nursery.cancel_scope.cancel()


class Program:
    """The client on a pipe."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self._read = b""

    async def lines(self, count: int) -> list[str]:
        """The next lines that it writes."""
        assert self.process.stdout is not None
        with trio.fail_after(PATIENCE_SECONDS):
            while self._read.count(b"\n") < count:
                self._read += await self.process.stdout.receive_some()
        *lines, self._read = self._read.split(b"\n", count)
        return [line.decode() for line in lines]

    async def end(self) -> tuple[int, str]:
        """Ctrl-C: its exit code, and what it said on stderr."""
        assert self.process.stderr is not None
        self.process.send_signal(signal.SIGINT)
        said = b""
        with trio.fail_after(PATIENCE_SECONDS):
            while chunk := await self.process.stderr.receive_some():
                said += chunk
            return await self.process.wait(), said.decode()


@asynccontextmanager
async def program(group: Group, *options: str) -> AsyncIterator[Program]:
    async with trio.open_nursery() as nursery:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [*CLIENT, "--group", str(group), *options]
        process: trio.Process = await nursery.start(
            partial(trio.run_process, command, check=False, **pipes)
        )
        assert process.stdout is not None
        assert process.stderr is not None
        async with process.stdout, process.stderr:
            yield Program(process)


async def test_a_pipe_gets_the_events_and_stderr_the_counts(feed: Feed) -> None:
    say(feed, 1, 3)
    async with program(feed.group, "--from", "2") as client:
        assert await client.lines(2) == ["bob: 2 xxxxxxxx", "bob: 3 xxxxxxxx"]
        status, said = await client.end()

    assert status == 0
    # Who is kept from running asks again for what has been on its way, and gets it twice.
    assert re.fullmatch(r"-- 2 received, \d duplicates, 0 out of order", said.splitlines()[0])
    assert "2 repaired, 0 lost" in said


async def test_what_cannot_be_had_is_said_in_json_and_what_is_no_event_is_left_out() -> None:
    group = Group("239.255.90.9", free_port(), "127.0.0.1")
    with open_sending(group, 1) as sock:
        async with program(group, "--json") as client:

            def send(first: int, *messages: bytes) -> None:
                (packet,) = mold.packets(SESSION, first, [mold.block(m) for m in messages], 1452)
                sock.send(packet)

            first = None
            while first is None:  # until it listens
                send(1, event(1, "one"))
                with trio.move_on_after(0.1):
                    (first,) = await client.lines(1)
            send(2, b"not an event", event(3, "three"))
            send(7, event(7, "seven"))
            got = [json.loads(line) for line in [first, *await client.lines(3)]]
            _, said = await client.end()

    assert [one.get("text") for one in got] == ["one", "three", None, "seven"]
    assert got[2] == {"kind": "lost", "from": 4, "to": 6}
    assert "3 lost" in said


async def test_a_terminal_shows_the_feed_and_its_figures(feed: Feed, tmp_path: Path) -> None:
    group = str(feed.group)
    with PtyClient("--mode", "multicast", "--group", group, home=tmp_path, columns=100) as client:
        await client.until(lambda: client.input == ">")
        say(feed, 1, 2)
        await client.until(lambda: "13:17 bob: 2 xxxxxxxx" in client.shown)
        await client.until(lambda: client.status.startswith(f" listening to {group} │ log "))
        client.type("hello\r")
        await client.until(lambda: "to listen only" in client.status)
        client.type("\x03/stats\r")
        await client.until(lambda: "-- 2 received, 0 duplicates, 0 out of order" in client.shown)
        await feed.end()
        await client.until(lambda: any("has ended with #2" in line for line in client.shown))
        client.type("/quit\r")
        assert await client.until_ended() == 0


@pytest.mark.parametrize(
    ("outcome", "plain", "as_json"),
    [
        (Lost(41, 43), "-- 3 messages lost (#41–#43)", {"kind": "lost", "from": 41, "to": 43}),  # noqa: RUF001
        (Lost(41, 41), "-- 1 message lost (#41)", {"kind": "lost", "from": 41, "to": 41}),
        (
            SessionBegan("K3F9A2QZ01", 7),
            "-- listening to the log K3F9A2QZ01, from #7",
            {"kind": "session", "session": "K3F9A2QZ01", "seq": 7},
        ),
        (
            SessionEnded("K3F9A2QZ01", 7),
            "-- the log K3F9A2QZ01 has ended with #6",
            {"kind": "session_end", "session": "K3F9A2QZ01", "seq": 6},
        ),
    ],
)
def test_what_is_no_event_has_a_line_too(
    outcome: Lost | SessionBegan | SessionEnded, plain: str, as_json: dict[str, object]
) -> None:
    assert plain_line(outcome) == plain
    assert json.loads(json_line(outcome)) == as_json


def test_an_event_cannot_reach_beyond_its_line() -> None:
    hostile = Delivered(1, event(1, "x\x1b[2J\x9b").replace(b'"kind"', b'\n"kind"'))

    assert json_line(hostile).isascii()
    assert b"\n" not in json_line(hostile)
    assert "\x1b" not in plain_line(hostile)


def test_the_figures_of_a_run() -> None:
    counts = ListenerStatistics(datagrams=9, received=7, gaps=2, repaired=3, requests=4, lost=1)
    for milliseconds in range(1, 101):
        counts.repair_times.add(milliseconds / 1000)

    lines = statistics_lines(counts)
    assert lines[0] == "7 received, 0 duplicates, 0 out of order"
    assert lines[1].startswith("2 gaps, 3 repaired, 1 lost, 4 requests, repair time p50 ")
    figures = counts.as_dict()
    assert figures["repair_p50_ms"] == pytest.approx(50, rel=0.06)
    assert figures["repair_p99_ms"] == pytest.approx(99, rel=0.06)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["--from", "soon"], 2, "neither live, start nor a number"),
        (["--request", "here"], 2, "HOST:PORT"),
        (["--group", "192.0.2.1"], 2, "not a multicast group"),
        (["--interface", "no-such-0"], 1, "no interface with this name"),
        (["hello"], 2, "to listen only"),
    ],
)
def test_what_cannot_work_is_refused_with_a_line(
    options: list[str], status: int, said: str
) -> None:
    done = subprocess.run([*CLIENT, *options], capture_output=True, check=False, text=True)

    assert done.returncode == status
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("json", [True, False])
async def test_output_that_cannot_be_written_is_one_line(feed: Feed, json: bool) -> None:
    with open("/dev/full", "wb") as full:  # noqa: ASYNC230 - a device
        process = await trio.lowlevel.open_process(
            [*CLIENT, "--group", str(feed.group), "--from", "1", *(["--json"] if json else [])],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert process.stderr is not None
    said = b""
    say(feed, 1, 1)
    with trio.fail_after(PATIENCE_SECONDS):
        async for chunk in process.stderr:
            said += chunk
        assert await process.wait() == 1
    assert said == b"chatroom: cannot write the output: No space left on device\n"


async def test_a_key_that_is_none_ends_the_listening_with_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = Sealer(SESSION).key
    answers = iter([good, FeedKey("00000002", "CHACHA20", good.secret)])
    where = Multicast(DEFAULT_GROUP, free_port(), 1, key=good, seconds=0.01)

    async def ask(_: ConnectOptions) -> Feed_:
        multicast = msgspec.structs.replace(where, key=next(answers))
        return Feed_(session=SESSION.decode(), first=1, seq=0, multicast=multicast)

    monkeypatch.setattr("chatroom.client.feed.listening.ask_for_feed", ask)
    room = ConnectOptions(hosts=["127.0.0.1:1"])
    with trio.fail_after(PATIENCE_SECONDS), pytest.raises(ChatroomError, match="CHACHA20, which"):
        async with listen_with([room], ListenOptions()):
            await trio.sleep_forever()
