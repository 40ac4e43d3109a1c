"""This project's own server, and a swarm that loads it, as programs of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chatroom.errors import ChatroomError
from chatroom.settings import IN_MEMORY
from loadtest.started import started

_CHATROOM = (sys.executable, "-m", "chatroom")


class Server:
    """A running `chatroom serve`."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port

    def cpu_seconds(self) -> float:
        """What it has used so far, in user and kernel mode together."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


@contextmanager
def serving(
    prefix: Sequence[str],
    *options: str,
    journal: str = IN_MEMORY,
    directory: Path | None = None,
) -> Iterator[Server]:
    """A server on a free port, from its ready line to its clean end.

    Args:
        prefix: comes before its command: a core to run on, a network namespace.
        options: its options.
        journal: what it remembers by.
        directory: where to run it; None: here.

    Raises:
        ChatroomError: it does not come to its ready line.
    """
    command = [*prefix, *_CHATROOM, "serve", "--port", "0", "--journal", journal]
    command += ["--talk-rate", "0", *options]  # it is to be loaded
    command += ["--log-level", "info", "--log-format", "json"]
    with started(command, directory) as program:
        ready = json.loads(program.wait_for('"ready"'))
        yield Server(program.process.pid, int(ready["tcp"].rpartition(":")[2]))


def swarm(prefix: Sequence[str], *options: str) -> dict[str, Any]:
    """A run of `chatroom swarm`; its result.

    Raises:
        ChatroomError: the run was not possible, or had faults, and so is no measurement.
    """
    command = [*prefix, *_CHATROOM, "swarm", "--json", *options]
    done = subprocess.run(command, capture_output=True, check=False)
    if not done.stdout:
        raise ChatroomError(f"the swarm failed: {done.stderr.decode().strip()}")
    result: dict[str, Any] = json.loads(done.stdout)
    if result["outcome"] == "faults":
        raise ChatroomError(f"the swarm found faults: {'; '.join(result['reasons'])}")
    return result


def core(number: int) -> int:
    """One of the cores that are allowed, counted round."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[number % len(cores)]


def pinned(number: int) -> list[str]:
    """What runs a command on that core."""
    return ["taskset", "-c", str(core(number))]
