"""Standard streams that are closed, full or no text: one line says so, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import PATIENCE_SECONDS, clean_environment


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, in which `chatroom` is the command."""
    program = f'chatroom() {{ "{sys.executable}" -m chatroom "$@"; }}; '
    done = subprocess.run(
        ["sh", "-c", program + line],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        env=clean_environment(PYTHONPATH=str(Path(__file__).parents[2])),
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done


@pytest.mark.parametrize(
    "command", ["--version", "--help", "serve --help", "serve --print-config", "service"]
)
def test_an_output_that_takes_nothing_is_said(tmp_path: Path, command: str) -> None:
    done = shell(f"chatroom {command} > /dev/full", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "chatroom: cannot write the output: No space left on device\n"


@pytest.mark.parametrize("command", ["--version", "serve --print-config"])
def test_nobody_wants_the_output(tmp_path: Path, command: str) -> None:
    assert shell(f"chatroom {command} >&-", tmp_path).returncode == 0
    done = shell(f"chatroom {command} | true", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("printf '\\377\\37612345678\\n' | chatroom account add zoe", "the password is not UTF-8"),
        ("chatroom account add zoe <&-", "a password has at least 8 characters"),
        ("chatroom client --account zoe hi <&-", "no password for zoe: give --password-command"),
    ],
)
def test_no_password_is_said(tmp_path: Path, line: str, complaint: str) -> None:
    done = shell(line, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"chatroom: {complaint}\n"


def test_complaints_never_go_where_the_data_goes(tmp_path: Path) -> None:
    done = shell("chatroom history 2>&-", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")


def test_no_file_gets_the_number_of_a_stream_that_is_closed(tmp_path: Path) -> None:
    """What others write to stderr, as Python itself at a fault, would end in it."""
    program = "from chatroom.cli.streams import open_standard_streams as o; o(); import os, sys; "
    program += "print(os.open('/', 0)); print('oops', file=sys.stderr)"
    line = f'"{sys.executable}" -c "{program}" <&- 2>&-'
    done = shell(line, tmp_path)
    assert (done.returncode, done.stdout) == (0, "3\n")
