"""A swarm on the feed: every listener hears everything, and one that loses is found out."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import inf
from typing import Any

import pytest

from chatroom.feed.group import Group
from chatroom.feed.stream import Delivered
from chatroom.swarm.bots.multicast import Alarm, MulticastBot
from chatroom.swarm.bots.poller import Poller, now_us

CHATROOM = [sys.executable, "-m", "chatroom"]


@pytest.fixture(name="port", scope="module")
def _port() -> Iterator[str]:
    command = [*CHATROOM, "serve", "--port", "0", "--journal", ":memory:", "--talk-rate", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        ready = next((line for line in server.stderr if " ready " in line), "")
        try:
            yield ready.split("tcp=127.0.0.1:")[1].split()[0]
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=60)


def swarm(*options: str) -> subprocess.CompletedProcess[str]:
    command = [*CHATROOM, "swarm", "--mode", "multicast", "--warmup", "0.1", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def result_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode in (0, 4), done.stderr  # 4: this machine is busy
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_every_listener_hears_every_message(port: str) -> None:
    options = ["--bots", "20", "--talkers", "3", "--rate", "300", "--duration", "0.5", "--json"]
    result = result_of(swarm("--port", port, *options))

    assert result["delivered"] == result["expected"] == 20 * result["sent"] == 3000
    assert result["audit"]["faults"] == dict.fromkeys(result["audit"]["faults"], 0)
    assert len(result["feed"]["listeners"]) == 20
    assert all(one["received"] >= 150 and not one["lost"] for one in result["feed"]["listeners"])


def test_the_report_names_gaps_repairs_and_losses(port: str) -> None:
    done = swarm("--port", port, "--bots", "2", "--rate", "50", "--duration", "0.3")

    assert done.returncode in (0, 4), done.stderr
    said = " ".join(done.stdout.split())
    assert "2 listeners: " in said
    assert " 0 gaps, 0 repaired with 0 requests, 0 lost, 0 kernel drops" in said


def test_without_talkers_it_listens_to_whatever_is_there(port: str) -> None:
    options = ["--bots", "3", "--talkers", "0", "--duration", "0.3", "--json"]
    with (
        subprocess.Popen(
            [*CHATROOM, "client", "--port", port, "--nick", "someone"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as talker,
        ThreadPoolExecutor() as beside,
    ):
        assert talker.stdin is not None
        listening = beside.submit(swarm, "--port", port, *options)
        while not listening.done():
            talker.stdin.write("hello\n")
            talker.stdin.flush()
            time.sleep(0.02)
        result = result_of(listening.result())
        talker.stdin.close()

    assert (result["sent"], result["delivered"]) == (0, 0)
    assert [one["lost"] for one in result["feed"]["listeners"]] == [0, 0, 0]
    assert all(one["received"] for one in result["feed"]["listeners"])


def test_where_nobody_talks_nothing_passes(port: str) -> None:
    done = swarm("--port", port, "--bots", "3", "--talkers", "0", "--duration", "0.1")
    assert done.returncode == 3, done.stderr
    assert "nothing was measured" in done.stdout


def test_a_message_is_stamped_when_it_has_been_received() -> None:
    received_at, heard_at = [], []

    class Slow:
        deadline = inf

        def receive_nowait(self) -> list[Delivered]:
            time.sleep(0.002)
            received_at.append(now_us())
            return [Delivered(1, b"{}")]

    class Recorder:
        def hear(self, at_us: int, chunk: memoryview, /) -> None:
            heard_at.append(at_us)

    with Poller() as poller:
        alarm = Alarm(poller)
        bot = MulticastBot("listener", poller, alarm, Group("239.255.90.9", 1, "127.0.0.1"))
        bot.ear, bot._listener = Recorder(), Slow()  # type: ignore[assignment]
        bot.work(0)
        alarm.close()
    assert heard_at >= received_at


def test_nobody_there_and_nonsense_are_refused_with_a_line() -> None:
    done = swarm("--port", "1", "--bots", "1", "--duration", "0.1")
    assert (done.returncode, "nobody answers" in done.stderr) == (1, True)
    done = swarm("--group", "192.0.2.1")
    assert (done.returncode, "not a multicast group" in done.stderr) == (2, True)
    done = swarm("--interface", "no-such-0", "--talkers", "0", "--duration", "0.1")
    assert done.returncode == 1
    assert "no interface with this name" in done.stderr
