"""Quick starts of `python -m chatroom`, and of a swarm's processes: not by a new interpreter, but
by a fork of one that has imported the room already (see `tests.zygote`).

Whoever starts a process notices nothing: `subprocess` and Trio get the number of a child of their
own; entry point, arguments, environment, folder and open files are those that were asked for. What
such a process cannot show is that a command imports what it needs where nobody has before, and that
nothing goes wrong while an interpreter is taken down: `tests/cli/test_starting.py` does.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.zygote import MODULES, Start

_ROOT = Path(__file__).parents[1]
_COMMAND = [sys.executable, "-m"]

#: How the names of variables begin that an interpreter reads when it starts, or what loads it does.
_EARLY = (b"PYTHON", b"LANG", b"LC_", b"LD_")

#: `fork_exec`'s parameters `process_group` to `preexec_fn` where nothing special is wanted.
_PLAIN = [-1, None, None, None, -1, None]

_PR_SET_CHILD_SUBREAPER = 36


class _Zygote:
    """The process that forks, started when it is first asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._environment = _early(os.environb)
        self._process: subprocess.Popen[bytes] | None = None

    def serves(self, environment: Mapping[bytes, bytes]) -> bool:
        return _early(environment) == self._environment

    def fork(self, start: Start, files: list[int]) -> int:
        """The number of the new process, which is this one's child."""
        with self._lock:
            if self._process is None:
                self._process = self._start()
            socket.send_fds(self._ours, [pickle.dumps(start)], files)
            return int(self._ours.recv(64))

    def _start(self) -> subprocess.Popen[bytes]:
        # The forked processes are orphans, which this one adopts.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        with self._theirs as theirs:
            number = theirs.fileno()
            return subprocess.Popen(
                [sys.executable, "-m", "tests.zygote", str(number)], pass_fds=[number], cwd=_ROOT
            )

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()
        if self._process is not None:
            self._process.wait()


def _early(environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    return {name: value for name, value in environment.items() if name.startswith(_EARLY)}


@contextmanager
def quick_starts() -> Iterator[None]:
    """Meanwhile `python -m` is a fork for `MODULES`, whoever starts them."""
    zygote = _Zygote()
    fork_exec = subprocess._fork_exec  # type: ignore[attr-defined]

    def fork(arguments: list[str], programs: object, *rest: Any) -> int:
        """As `_posixsubprocess.fork_exec`."""
        closing, kept, folder, variables, stdin, _, _, stdout, _, stderr, _, tell, *other = rest
        restored, session, *special = other
        environment: Mapping[bytes, bytes] = os.environb
        if variables is not None:
            environment = dict(variable.split(b"=", 1) for variable in variables)
        plain = closing and restored and special[: len(_PLAIN)] == _PLAIN
        known = arguments[:2] == _COMMAND and arguments[2] in MODULES
        if not (plain and known and zygote.serves(environment)):
            number: int = fork_exec(arguments, programs, *rest)
            return number
        numbers = [0, 1, 2, *(file for file in kept if file != tell)]
        files = [own if file == -1 else file for own, file in enumerate((stdin, stdout, stderr))]
        place = folder or os.getcwd()
        start = Start(arguments[2:], dict(environment), place, numbers, bool(session))
        return zygote.fork(start, files + numbers[3:])

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(subprocess, "_fork_exec", fork)
            yield
    finally:
        zygote.close()
