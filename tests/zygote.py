"""A process that has imported the room, and becomes `python -m chatroom`, or another of `MODULES`,
by a fork each time it is asked: the same entry point with arguments, environment, folder and
descriptors of its own. That takes a tenth of the processor time of an interpreter that starts,
imports and is taken down.

Run by `tests.forking` as `python -m tests.zygote DESCRIPTOR`.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import io
import os
import pickle
import runpy
import socket
import sys
import threading
import time
from typing import NamedTuple

import typer.main

from chatroom.cli import app

_WORKER = "chatroom.swarm.processes.worker"

#: What can be started.
MODULES = ("chatroom", _WORKER)

#: What the commands import when they run.
HEAVY = (
    "chatroom.cli.listening",
    "chatroom.cli.running",
    "chatroom.client.feed.pipe",
    "chatroom.client.terminal.pipe",
    "chatroom.feed.sender",
    "chatroom.journal.backup",
    "chatroom.journal.browse",
    "chatroom.journal.sqlite",
    "chatroom.logs",
    "chatroom.server.service",
    "chatroom.swarm.command",
    "chatroom.swarm.processes.team",
    "h11",
    "websockets",
)

#: More than any request takes.
REQUEST_BYTES = 1 << 17
REQUEST_DESCRIPTORS = 32


class Start(NamedTuple):
    """What a process begins with, beside the open files that are sent along."""

    arguments: list[str]  #: from the module's name on
    environment: dict[bytes, bytes]
    folder: str | bytes
    descriptors: list[int]  #: what the files' numbers shall be
    session: bool  #: whether it is to lead one of its own


def main(descriptor: int) -> None:
    with socket.socket(fileno=descriptor) as asker:
        for name in HEAVY:
            importlib.import_module(name)
        typer.main.get_command = functools.cache(typer.main.get_command)
        typer.main.get_command(app)  # a child that makes it from so many options takes 30 ms
        assert threading.active_count() == 1, "a fork would lose threads"
        gc.collect()
        gc.freeze()  # for good: no child's collector touches, and so copies, what is shared
        while request := socket.recv_fds(asker, REQUEST_BYTES, REQUEST_DESCRIPTORS):
            message, files, *_ = request
            if not message:
                return
            pid = _fork_orphan()
            if not pid:
                break
            asker.send(str(pid).encode())
            for file in files:
                os.close(file)
    _become(pickle.loads(message), files)


def _fork_orphan() -> int:
    """As `os.fork`, but the child is nobody's here: it goes to the process that adopts, and has
    gone there on return.
    """
    numbers, tell = os.pipe()
    between = os.fork()
    if between:
        os.close(tell)
        os.waitpid(between, 0)
        with open(numbers, "rb") as told:
            return int(told.read())
    child = os.fork()
    if child:
        os.write(tell, str(child).encode())
        os._exit(0)
    os.close(tell)
    os.close(numbers)
    return 0


def _become(start: Start, files: list[int]) -> None:
    if start.session:
        os.setsid()
    _place(files, start.descriptors)
    os.environb.clear()
    os.environb.update(start.environment)
    time.tzset()
    os.chdir(start.folder)
    _open_standard_streams()
    sys.argv = start.arguments
    if sys.argv[0] == _WORKER:
        del sys.modules[_WORKER]  # of whom its parents import; runpy warns of that
    sys.path[0] = os.getcwd()
    try:
        runpy.run_module(start.arguments[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        _end(end.code or 0)
        raise
    _end(0)


def _end(code: object) -> None:
    """End as the interpreter would, less its taking apart what was imported: that would copy all of
    it first. Returns where that cannot be, so that the interpreter does it and says why.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
        if isinstance(code, int):
            os._exit(code)


def _place(files: list[int], numbers: list[int]) -> None:
    """Give the open files these numbers, and leave no other file open."""
    above = max(*numbers, *files) + 1
    for index, file in enumerate(files):
        os.dup2(file, above + index)
    for index, number in enumerate(numbers):
        os.dup2(above + index, number)
    low = 3
    for number in sorted(numbers):
        os.closerange(low, number)
        low = max(low, number + 1)
    os.closerange(low, above + len(files))


def _open_standard_streams() -> None:
    """They are other files now. As Python opens them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, name)
        buffering = 0 if number and before.write_through else -1  # PYTHONUNBUFFERED
        file = open(number, "wb" if number else "rb", buffering, closefd=False)  # noqa: SIM115
        stream = io.TextIOWrapper(
            file,
            before.encoding,
            before.errors,
            newline="\n",
            line_buffering=before.line_buffering,
            write_through=before.write_through,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


if __name__ == "__main__":
    main(int(sys.argv[1]))
