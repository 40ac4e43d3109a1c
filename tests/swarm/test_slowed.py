"""A swarm against a server that keeps its talkers to a rate says so, and calls it no pass."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.running import ServerProcess

CHATROOM = [sys.executable, "-m", "chatroom"]


def _swarm(server: ServerProcess, *options: str) -> subprocess.CompletedProcess[str]:
    command = [*CHATROOM, "swarm", "--port", str(server.port), "--bots", "6", "--rate", "60"]
    command += ["--warmup", "0.1", "--duration", "1", *options]
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)


@pytest.mark.parametrize("way", ["plain", "json", "ws"])
def test_it_says_which_limit_held_it(way: str) -> None:
    with ServerProcess("--talk-rate", "20", "--talk-burst", "4", "--room-rate", "0") as server:
        done = _swarm(server, "--format", way, "--talkers", "2", "--json")
    result = json.loads(done.stdout)
    assert (done.returncode, result["outcome"]) == (5, "slowed"), result["reasons"]
    assert result["slowed"] == {"20 messages a second": 2}
    assert (
        "the server slowed 2 bots down (20 messages a second): start it with --talk-rate 0 to"
        " load it"
    ) in result["reasons"]
    assert sum(result["audit"]["faults"].values()) == 0


def test_the_console_says_it_of_the_room_s_ceiling_too() -> None:
    with ServerProcess("--talk-rate", "0", "--room-rate", "30") as server:
        done = _swarm(server, "--talkers", "3", "--duration", "3")
    words = " ".join(done.stdout.split())
    assert done.returncode == 5, done.stdout
    assert (
        "SLOWED BY THE SERVER: the server slowed 3 bots down (the room takes 30 messages" in words
    )
