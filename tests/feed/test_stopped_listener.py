"""A listener that is stopped, or whose network drops everything for a while, misses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from random import Random

import pytest
import trio

from chatroom import listen
from chatroom.feed.broadcast import Feed
from chatroom.feed.group import Group
from chatroom.feed.reassembly import SessionBegan, SessionEnded
from chatroom.feed.stream import Delivered
from tests.feed.live import PATIENCE_SECONDS, open_feed, say
from tests.feed.relay import Relay
from tests.ports import free_port


@pytest.fixture
async def feed(nursery: trio.Nursery) -> AsyncIterator[Feed]:
    feed = await open_feed(nursery, free_port())
    yield feed
    nursery.cancel_scope.cancel()


async def test_a_stopped_listener_catches_up_with_what_its_socket_could_not_hold(
    feed: Feed,
) -> None:
    count = 9_000
    command = [sys.executable, "-m", "chatroom", "client", "--mode", "multicast"]
    command += ["--group", str(feed.group), "--from", "start"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as client:
        assert client.stdout is not None
        assert client.stderr is not None
        lines = trio.lowlevel.FdStream(os.dup(client.stdout.fileno()))
        say(feed, 1, 1)
        got = b""
        with trio.fail_after(PATIENCE_SECONDS):
            while not got.endswith(b"\n"):
                got += await lines.receive_some()
        client.send_signal(signal.SIGSTOP)
        for first in range(2, count + 2, 1000):
            say(feed, first, 1000, size=1000)
            await trio.lowlevel.checkpoint()
        client.send_signal(signal.SIGCONT)
        with trio.fail_after(PATIENCE_SECONDS):
            while got.count(b"\n") < count + 1:
                got += await lines.receive_some()
        client.send_signal(signal.SIGINT)
        counts = (await trio.to_thread.run_sync(client.stderr.read)).decode()
        await lines.aclose()

    numbers = [int(line.split()[1]) for line in got.decode().splitlines()]
    assert numbers == list(range(1, count + 2))
    assert " 0 lost," in counts
    assert ", 0 dropped by the kernel" not in counts


async def test_a_network_that_drops_everything_for_a_while(
    feed: Feed, nursery: trio.Nursery
) -> None:
    passing = True
    target = Group("239.255.90.10", free_port(), "127.0.0.1")
    relay = Relay(feed.group, feed.request_port, target, lambda _: int(passing))
    nursery.start_soon(relay.run)
    async with listen(target.address, target.port, start=1) as listener:
        numbers: list[int] = []

        async def collect(last: int) -> None:
            with trio.fail_after(PATIENCE_SECONDS):
                while not numbers or numbers[-1] < last:
                    outcomes = await listener.receive()
                    numbers.extend(o.sequence for o in outcomes if isinstance(o, Delivered))

        say(feed, 1, 10)
        await collect(10)
        passing = False
        for first in range(11, 211):  # a message each millisecond, for 200 ms
            say(feed, first, 1)
            await trio.sleep(0.001)
        passing = True
        await collect(210)  # noticed by a heartbeat: nothing else follows

    assert numbers == list(range(1, 211))
    assert listener.statistics.repaired >= 200
    assert listener.statistics.lost == 0


async def test_a_server_that_starts_again_is_noticed_and_followed(nursery: trio.Nursery) -> None:
    port = free_port()
    seen: list[object] = []
    async with listen(port=port) as listener:
        for rounds in (1, 2):
            async with trio.open_nursery() as life:
                feed = await open_feed(life, port)
                say(feed, 1, rounds)
                await feed.end()
                life.cancel_scope.cancel()
            with trio.fail_after(PATIENCE_SECONDS):
                while not seen or not isinstance(seen[-1], SessionEnded):
                    seen += await listener.receive()
            seen.append("again")

    kinds = [type(one).__name__ for one in seen]
    assert kinds[: kinds.index("str") + 1] == ["SessionBegan", "Delivered", "SessionEnded", "str"]
    assert kinds[kinds.index("str") + 1 :] == [
        "SessionBegan",
        "Delivered",
        "Delivered",
        "SessionEnded",
        "str",
    ]
    sessions = [one.session for one in seen if isinstance(one, SessionBegan)]
    assert len(set(sessions)) == 2


async def test_many_listeners_that_lose_the_same_packet_do_not_ask_more_than_needed(
    feed: Feed, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine an answer may take longer than any listener asks for it.
    for effort in ("asking.EFFORT", "stream.EFFORT", "stream.SILENT_EFFORT"):
        monkeypatch.setattr(f"chatroom.feed.{effort}_SECONDS", 4 * PATIENCE_SECONDS)
    random = Random(5)
    target = Group("239.255.90.10", free_port(), "127.0.0.1")

    def fate(datagram: bytes) -> int:
        return int(random.random() >= 0.1)

    relay = Relay(feed.group, feed.request_port, target, fate)
    nursery.start_soon(relay.run)
    asked = repaired = 0

    async def follow(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        nonlocal asked, repaired
        async with listen(target.address, target.port, start=1) as listener:
            task_status.started()
            got = 0
            while got < 200:
                outcomes = await listener.receive()
                got += sum(isinstance(outcome, Delivered) for outcome in outcomes)
            assert listener.statistics.lost == 0
            asked += listener.statistics.requests
            repaired += listener.statistics.repaired

    with trio.fail_after(4 * PATIENCE_SECONDS):  # there is much to do
        async with trio.open_nursery() as listeners:
            for _ in range(20):
                await listeners.start(follow)
            for first in range(1, 201):
                say(feed, first, 1)
                await trio.sleep(0.002)

    assert repaired > 20 * 200 * 0.05
    assert asked <= 6 * repaired, (asked, repaired)  # a busy machine answers late
