"""Each command by itself, in an interpreter that has imported nothing yet: elsewhere in these tests
a fork of one that has takes its place (see `tests.forking`).
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import PATIENCE_SECONDS, ServerProcess, clean_environment

#: The script that is installed, which nobody forks.
PROGRAM = str(Path(sys.executable).with_name("chatroom"))


class InstalledServer(ServerProcess):
    program = (PROGRAM,)


def run(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        input=typed,
        cwd=folder,
        env=clean_environment(XDG_RUNTIME_DIR=str(folder)),
    )


@pytest.mark.parametrize("mode", ["epoll", "thread"])
def test_a_server_and_who_talks_to_it(mode: str, tmp_path: Path) -> None:
    control, journal = str(tmp_path / "control"), str(tmp_path / "chatroom.db")
    with InstalledServer("--mode", mode, "--control", control, "--journal", journal) as server:
        port = ("--port", str(server.port))
        said = run(tmp_path, "client", *port, "--nick", "ann", "hello")
        assert (said.returncode, said.stderr) == (0, "")
        swarm = run(tmp_path, "swarm", *port, "--bots", "2", "--warmup", "0", "--duration", "0.1")
        assert swarm.returncode == 0, swarm.stderr
        status = run(tmp_path, "admin", "status", "--control", control)
        assert (status.returncode, status.stderr) == (0, "")
        assert "lobby" in status.stdout
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    history = run(tmp_path, "history")
    assert "ann: hello\n" in history.stdout
    assert run(tmp_path, "backup", "copy.db").returncode == 0
    assert (tmp_path / "copy.db").exists()


def test_what_needs_no_server(tmp_path: Path) -> None:
    added = run(tmp_path, "account", "add", "zoe", typed="correct horse battery\n")
    assert added.stdout == "zoe has an account now: member\n"
    assert "ExecStart=" in run(tmp_path, "service").stdout
    assert run(tmp_path, "--version").stdout.startswith("chatroom ")
