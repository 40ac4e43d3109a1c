"""A program that is started, says when it is ready, and is stopped again."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chatroom.errors import ChatroomError

PATIENCE_SECONDS = 20.0


class Started:
    """A running program. What it writes is taken at once: it never waits for a reader."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()

    def take_output(self) -> None:
        """Take what it writes until its end; in a thread of its own."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, wanted: str, seconds: float = PATIENCE_SECONDS) -> str:
        """The first line that it has written, or writes, with `wanted` in it.

        Raises:
            ChatroomError: there is none within `seconds`, or before the program ends.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._found(wanted), seconds)
            if found := self._found(wanted):
                return found
            said = "".join(self._lines).strip()
        raise ChatroomError(f"{self.process.args!r} did not say {wanted!r}: {said}")

    def _found(self, wanted: str) -> str:
        return next((line for line in self._lines if wanted in line), "")


@contextmanager
def started(command: Sequence[str], directory: Path | None = None) -> Iterator[Started]:
    """Start a program, and end it with SIGINT.

    Args:
        command: what to run; its output and its errors are read as one.
        directory: where to run it; None: here.
    """
    with subprocess.Popen(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        program = Started(process)
        taking = threading.Thread(target=program.take_output)
        taking.start()
        try:
            yield program
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            taking.join()
