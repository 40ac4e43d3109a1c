"""A real Redis, on a Unix socket of its own."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from chatroom.order.opening import open_store

if TYPE_CHECKING:
    from chatroom.order.store import Store


class RedisServer:
    """A `redis-server` that can be killed, stopped and started again on the same files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.prefix: list[str] = []  #: a command that runs it
        self.host = "127.0.0.1"
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = directory / "socket"
        self.options = ["--appendonly", "yes"]

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def store(self, room: str = "lobby", *, power: bool = False) -> Store:
        return open_store(self.url, room, power=power)

    async def start(self, *options: str) -> None:
        """Returns when it answers."""
        await self.start_at(0, *options)

    async def start_at(self, port: int, *options: str) -> None:
        """Also on this TCP port of `host`."""
        self.options = list(options) or self.options
        where = [
            "--bind",
            self.host,
            "--port",
            str(port),
            "--unixsocket",
            str(self.socket),
            "--dir",
            str(self._directory),
        ]
        command = [*self.prefix, "redis-server", *where, "--save", "", *self.options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with trio.fail_after(30):
            while not await self._ping():
                await trio.sleep(0.02)

    async def _ping(self) -> bytes:
        try:
            return await self.command("PING")
        except OSError:
            return b""

    async def command(self, line: str) -> bytes:
        """What it answers, as it comes over the wire."""
        async with await trio.open_unix_socket(self.socket) as stream:
            await stream.send_all(f"{line}\r\n".encode())
            return bytes(await stream.receive_some())

    def kill(self) -> None:
        """As with -9, in the middle of whatever it does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def forget(self) -> None:
        """While it is not there: what it has kept is lost."""
        shutil.rmtree(self._directory / "appendonlydir")

    def stop(self) -> None:
        """It goes on to be there, and does nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def log_file(self) -> Path:
        """The file to which it appends."""
        (path,) = self._directory.glob("appendonlydir/*.incr.aof")
        return path


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that is not started yet."""
    # Of a short name: a socket's path has 107 bytes at most.
    server = RedisServer(tmp_path_factory.mktemp("r"))
    yield server
    server.kill()
