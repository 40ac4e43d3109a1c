"""The server that a soak puts to the test: started, ended in any way, and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trio

from chatroom.errors import ChatroomError
from chatroom.settings import DEFAULT_HOST
from loadtest.soak.obstacles import Obstacles

READY_SECONDS = 30.0
END_SECONDS = 20.0
_ASK_SECONDS = 0.02
MODES = ("epoll", "thread")


@dataclass(frozen=True)
class Place:
    """Where a server listens."""

    port: int
    group: str  #: of its feed
    feed_port: int  #: where it goes; the next one is asked for repairs
    interface: str


@dataclass(frozen=True)
class Size:
    """What a process has of its machine."""

    resident_bytes: int
    descriptors: int

    def most(self, other: Size) -> Size:
        """The greater of each."""
        return Size(
            max(self.resident_bytes, other.resident_bytes),
            max(self.descriptors, other.descriptors),
        )


class Server:
    """One room on one journal, over all its lives.

    Args:
        directory: for the journal and the log.
        place: the same in each life, as its clients know no other.
        obstacles: what stands between it and its system.
    """

    def __init__(self, directory: Path, place: Place, obstacles: Obstacles) -> None:
        self.place = place
        self.journal = directory / "room.db"
        self.log = directory / "server.log"
        self.lives = 0
        self._obstacles = obstacles
        self._excused: list[tuple[int, int]] = []  # stretches of the log, in bytes
        self._process: trio.Process | None = None

    @property
    def mode(self) -> str:
        """How the present life serves: both ways in turn."""
        return MODES[(self.lives + 1) % len(MODES)]

    @property
    def pid(self) -> int:
        """Of the present life."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Has it not ended?"""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Begin the next life; returns when it listens. Raises `ChatroomError` if it does not."""
        self.lives += 1
        place = self.place
        command = [sys.executable, "-m", "chatroom", "serve", "--port", str(place.port)]
        command += ["--mode", self.mode, "--journal", str(self.journal), "--talk-rate", "0"]
        command += ["--outbox-limit", "262144", "--irc-replay", "0", "--log-format", "json"]
        command += ["--multicast", f"{place.group}:{place.feed_port}"]
        command += ["--multicast-interface", place.interface]
        with self.log.open("ab") as log:
            self._process = await trio.lowlevel.open_process(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._obstacles.environment},
            )
        with trio.move_on_after(READY_SECONDS):
            while self.is_alive:
                with suppress(OSError), socket.socket() as probe:
                    probe.connect((DEFAULT_HOST, place.port))
                    return
                await trio.sleep(_ASK_SECONDS)
        raise ChatroomError(f"the server did not start: {self.last_words()}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing if it has ended."""
        if self.is_alive:
            os.kill(self.pid, number)

    async def wait(self) -> int:
        """Its exit code, once it has ended. Raises `ChatroomError` if it does not."""
        assert self._process is not None
        with trio.move_on_after(END_SECONDS):
            return await self._process.wait()
        raise ChatroomError(f"the server did not end: {self.last_words()}")

    async def kill(self) -> None:
        """End the present life at once."""
        self.send(signal.SIGKILL)
        await self.wait()

    def size(self) -> Size:
        """Its memory and descriptors now."""
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return Size(int(resident.split()[1]) * 1024, len(self.descriptors()))

    def descriptors(self) -> list[int]:
        """What it has open."""
        return [int(name) for name in os.listdir(f"/proc/{self.pid}/fd")]

    def address_space_bytes(self) -> int:
        """What `RLIMIT_AS` is about."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[0])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def last_words(self) -> str:
        """The end of its log."""
        with suppress(OSError):
            return self.log.read_text(errors="replace").strip()[-2000:]
        return ""

    def tracebacks(self) -> list[str]:
        """What its log, over all lives, has of errors that nobody foresaw."""
        log, judged, start = self.log.read_bytes(), [], 0
        for first, end in [*self._excused, (len(log), len(log))]:
            judged += log[start:first].decode(errors="replace").splitlines()
            start = end
        return [line[:2000] for line in judged if "Traceback" in line or line.startswith("Fatal")]

    @contextmanager
    def excused(self) -> Iterator[None]:
        """Of what it logs inside nothing counts as an error that nobody foresaw."""
        first = self.log.stat().st_size
        try:
            yield
        finally:
            self._excused.append((first, self.log.stat().st_size))
