"""A `redis-server` of one's own, on a Unix socket in a directory that goes with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from chatroom.errors import ChatroomError
from loadtest.started import started


@contextmanager
def redis_server(appendfsync: str) -> Iterator[str]:
    """Start it with an append-only file, and stop it at the end; its address.

    Raises:
        ChatroomError: there is none on this machine, or it does not start.
    """
    if shutil.which("redis-server") is None:
        raise ChatroomError("redis-server is not installed")
    # Under /tmp: the path of a Unix socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="loadtest-", dir="/tmp") as directory:
        socket = f"{directory}/redis"
        command = ["redis-server", "--port", "0", "--unixsocket", socket, "--dir", directory]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", appendfsync]
        with started(command) as redis:
            redis.wait_for("ccept connections")  # how that begins depends on the version
            yield f"unix://{socket}"
