"""A supervisor as systemd is one: it holds the listening socket, and is told of the server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cli.running import PATIENCE_SECONDS, clean_environment

#: Becomes the server, whose number it so knows.
_BECOME = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class Supervisor:
    """Starts servers on one socket, one after the other. A context manager."""

    def __init__(self, folder: Path, *options: str, watchdog_seconds: float = 0) -> None:
        self._command = [sys.executable, "-m", "chatroom", "serve", "--no-multicast"]
        self._command += ["--journal", str(folder / "chatroom.db"), *options]
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self.listener.getsockname()[1]
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.bind(str(folder / "notify"))
        self.told.settimeout(PATIENCE_SECONDS)
        self._environment = clean_environment(
            NOTIFY_SOCKET=str(folder / "notify"), LISTEN_FDS="1", LISTEN_FDNAMES="chatroom"
        )
        if watchdog_seconds:
            self._environment["WATCHDOG_USEC"] = str(int(watchdog_seconds * 1_000_000))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start a server, which is ready on return."""
        descriptor = self.listener.fileno()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _BECOME, str(descriptor), *self._command],
            env=self._environment,
            pass_fds=[descriptor],
            stderr=subprocess.DEVNULL,
        )
        assert self.word("READY=1").startswith("READY=1\nSTATUS=serves lobby on 127.0.0.1:")

    def word(self, beginning: str) -> str:
        """Wait for word that begins so; what comes before is passed over."""
        while True:
            word = self.told.recv(4096).decode()
            if word.startswith(beginning):
                return word

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> int:
        """End the server in good order: its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.word("STOPPING=1")
        return self.process.wait(PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.listener.close()
        self.told.close()
