"""`chatroom client` in a real pseudo-terminal, and what its screen shows."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ptyprocess
import pyte
import trio

#: Whoever waits longer than this has found a bug, on a busy machine too.
PATIENCE_SECONDS = 30


class PtyClient:
    """The client's process, its keyboard and its screen."""

    command: tuple[str, ...] = (sys.executable, "-m", "chatroom", "client")

    def __init__(self, *arguments: str, home: Path, rows: int = 24, columns: int = 80) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
        }
        self._screen = pyte.HistoryScreen(columns, rows, history=1000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)
        self.received = b""
        self._process: Any = ptyprocess.PtyProcess.spawn(
            [*self.command, *arguments],
            env=environment,
            dimensions=(rows, columns),
        )

    def __enter__(self) -> PtyClient:
        return self

    def __exit__(self, *_: object) -> None:
        # `close` would give it a tenth of a second for each signal, and then up.
        if self._process.isalive():
            self._process.kill(signal.SIGKILL)
            self._process.wait()
        self._process.close()

    @property
    def pid(self) -> int:
        pid: int = self._process.pid
        return pid

    @property
    def shown(self) -> list[str]:
        """The rows of the screen, without what is blank at their ends."""
        return [row.rstrip() for row in self._screen.display]

    @property
    def scrolled(self) -> list[str]:
        """What has gone up into the scrollback."""
        rows = self._screen.history.top
        return ["".join(row[x].data for x in range(self._screen.columns)).rstrip() for row in rows]

    @property
    def input(self) -> str:
        """The input line."""
        return self.shown[self._screen.cursor.y]

    @property
    def status(self) -> str:
        """The line above it."""
        return self.shown[self._screen.cursor.y - 1]

    def type(self, keys: str) -> None:
        """Also what is no UTF-8, as Python has it from elsewhere."""
        self._process.write(keys.encode("utf-8", "surrogateescape"))

    def resize(self, rows: int, columns: int) -> None:
        self._process.setwinsize(rows, columns)
        self._screen.resize(rows, columns)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Read what the client writes until the condition holds."""
        with trio.move_on_after(PATIENCE_SECONDS):
            while not condition():
                await self.read()
            return
        raise AssertionError("\n".join(["the screen shows:", *self.shown]))

    async def until_shown(self, text: str) -> None:
        await self.until(lambda: any(text in row for row in self.shown))

    async def read(self) -> None:
        """Wait for the next bytes of the client, and show them. Raises `EOFError` at its end."""
        await trio.lowlevel.wait_readable(self._process.fd)
        try:
            chunk = os.read(self._process.fd, 65536)
        except OSError as error:  # Linux: EIO, once the other side is closed
            raise EOFError from error
        self.received += chunk
        self._stream.feed(chunk)

    async def until_ended(self) -> int:
        """Its exit code, once it has written its last."""
        with trio.move_on_after(PATIENCE_SECONDS):
            try:
                while True:
                    await self.read()
            except EOFError:
                code: int = await trio.to_thread.run_sync(self._process.wait)
                return code
        raise AssertionError("\n".join(["it goes on; the screen shows:", *self.shown]))
