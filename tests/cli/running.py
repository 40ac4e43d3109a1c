"""`chatroom serve` as a process of its own, and what can be said to it with bare sockets."""

from __future__ import annotations

import json
import os
import queue
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

PATIENCE_SECONDS = 30


class ServerProcess:
    """A server on a free port; its log is read as it comes. A context manager."""

    program: tuple[str, ...] = (sys.executable, "-m", "chatroom")

    def __init__(
        self, *options: str, descriptors: int | None = None, prefix: Sequence[str] = ()
    ) -> None:
        """`prefix`: a command that runs it."""
        command = [*prefix, *self.program, "serve", "--port", "0", "--no-multicast"]
        command += ["--journal", ":memory:", "--log-format", "json"]
        command += ["--talk-rate", "0", *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, env=clean_environment())
        self.log: list[dict[str, Any]] = []
        self._records: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read_log)
        self._reader.start()
        self.ready = self.logged("ready")
        if descriptors is not None:
            limits = (descriptors, descriptors)
            resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, limits)
        self.port = int(str(self.ready["tcp"]).split(",")[0].rpartition(":")[2])

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self._records.put(json.loads(line))
        self._records.put(None)

    def logged(self, message: str) -> dict[str, Any]:
        """Wait for a record of the log whose message begins so."""
        while True:
            record = self._records.get(timeout=PATIENCE_SECONDS)
            assert record is not None, f"the server has ended: {self.log}"
            self.log.append(record)
            if record["message"].startswith(message):
                return record

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(PATIENCE_SECONDS)

    def rest_of_log(self) -> list[dict[str, Any]]:
        """All records, once the server has ended."""
        self._reader.join(PATIENCE_SECONDS)
        while (record := self._records.get(timeout=PATIENCE_SECONDS)) is not None:
            self.log.append(record)
        return self.log

    def knock(self) -> Caller:
        return Caller(self.port)

    def enter(self, nick: str, *, receive_buffer_bytes: int = 0) -> Caller:
        """A plain client, welcomed."""
        caller = Caller(self.port, receive_buffer_bytes)
        caller.say(f"/nick {nick}")
        assert f"you are {nick} " in caller.line()
        return caller

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(PATIENCE_SECONDS)


class Caller:
    """A client with a bare socket that blocks. A context manager."""

    def __init__(self, port: int, receive_buffer_bytes: int = 0) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE_SECONDS)
        if receive_buffer_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.connect(("127.0.0.1", port))
        self._file = self.socket.makefile("rb")

    def say(self, *lines: str) -> None:
        self.socket.sendall("".join(f"{line}\n" for line in lines).encode())

    def line(self) -> str:
        """The next line; "" at the end."""
        return self._file.readline().decode().removesuffix("\n")

    def rest(self) -> list[str]:
        return [line.decode().removesuffix("\n") for line in self._file]

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without settings of a room that the tester may have."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CHATROOM_")}
    return {**kept, "COLUMNS": "200", **extra}


def run_chatroom(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "chatroom", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
        env=clean_environment(**environment),
    )


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does without telling."""
    deadline = threading.Event()
    for _ in range(PATIENCE_SECONDS * 100):
        if condition():
            return
        deadline.wait(0.01)
    raise TimeoutError
