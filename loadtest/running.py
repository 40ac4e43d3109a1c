"""A peer at work: started on a free port, watched, and stopped again."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from chatroom.errors import ChatroomError
from loadtest.peers import HOST, PATH, Peer

READY_SECONDS = 15.0
ASK_SECONDS = 0.01  #: between two attempts to connect
STOP_SECONDS = 10.0


class Running(msgspec.Struct):
    """A peer that accepts connections."""

    pid: int
    port: int

    def resident_bytes(self) -> int:
        """Its memory at this moment; 0 if it has ended."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0

    def cpu_seconds(self) -> float:
        """The processor time that it has used so far; 0 if it has ended."""
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0


@contextlib.contextmanager
def running(peer: Peer, format: str, core: int | None) -> Iterator[Running]:
    """Start a peer, wait until it accepts connections, and stop it at the end.

    Args:
        peer: which one.
        format: plain, json or ws.
        core: where it must run; None: anywhere.

    Raises:
        ChatroomError: it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="loadtest-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # some give up root's rights and must still read their settings
        port = _free_port()
        output = directory / "output"
        with output.open("wb") as log, on_core(core):
            process = subprocess.Popen(
                peer.command(port, directory, format),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env={**os.environ, "PATH": PATH},
            )
        try:
            _wait_until_ready(peer, process, port, output)
            yield Running(process.pid, port)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What is started meanwhile runs on this core only, from its first instruction on.

    A runtime that counts the cores at its start (Go's, say) must see the one that it has.
    """
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(
    peer: Peer, process: subprocess.Popen[bytes], port: int, output: Path
) -> None:
    # Not every peer says when it listens, so it is asked; its end is heard of at once.
    deadline = time.monotonic() + READY_SECONDS
    end = os.pidfd_open(process.pid)
    try:
        while time.monotonic() < deadline and not select.select([end], [], [], ASK_SECONDS)[0]:
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                return
    finally:
        os.close(end)
    said = output.read_text(errors="replace").strip().splitlines()
    raise ChatroomError(f"{peer.name} did not start: {said[-1] if said else 'it said nothing'}")
