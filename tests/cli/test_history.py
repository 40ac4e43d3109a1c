"""`chatroom history` as a user runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from chatroom.event import Event, decode_event
from chatroom.journal.sqlite import open_journal
from chatroom.room.visible import visible
from tests.cli.running import clean_environment
from tests.journal.talk import said, settings_for, store


def run(arguments: Sequence[str], directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chatroom", "history", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        env=clean_environment(TZ="UTC"),
        check=False,
    )


@pytest.fixture
async def directory(tmp_path: Path) -> Path:
    """A working directory with a journal under the name that it has by default."""
    async with open_journal(settings_for(tmp_path / "chatroom.db")) as journal:
        events = [
            said(1, "hello \x1b[2J\u202e there"),
            said(2),
            Event(3, said(3).time, "join", "bob"),
        ]
        assert await store(journal, events)
    return tmp_path


async def test_lines_for_people_are_safe_for_their_terminal(directory: Path) -> None:
    result = run([], directory)
    assert result.returncode == 0
    assert result.stdout.splitlines() == [
        "2026-11-22 13:17:42 alice: hello \ufffd[2J\ufffd there",
        "2026-11-22 13:17:42 alice: hello",
        "2026-11-22 13:17:42 -- bob joined",
    ]


HOSTILE = (
    "a\u2028b\u2029c\U000e0041d\u200be\u200ff\u0085g\x1b[2Jh\nfake\u202ei" + "o" + "\u0301" * 300
)


async def test_hostile_text_is_as_safe_as_in_the_client(tmp_path: Path) -> None:
    async with open_journal(settings_for(tmp_path / "chatroom.db")) as journal:
        assert await store(journal, [said(1, HOSTILE)])
    (line,) = run([], tmp_path).stdout.split("\n")[:-1]
    assert line.endswith("alice: " + visible(HOSTILE))
    assert line.count("\u0301") < 10
    (encoded,) = run(["--json"], tmp_path).stdout.split("\n")[:-1]
    assert all(visible(one) == one for one in encoded if one != "\u0301")
    assert decode_event(encoded).text == HOSTILE


async def test_json_and_conditions(directory: Path) -> None:
    arguments = ["--json", "--nick", "ALICE", "--search", "hel*", "--last", "1"]
    arguments += ["--since", "2026-11-22", "--until", "2026-11-22 13:18"]
    result = run(arguments, directory)
    assert result.stdout == (
        '{"seq":2,"time":"2026-11-22T13:17:42.123456Z","kind":"message","nick":"alice",'
        '"text":"hello"}\n'
    )


@pytest.mark.parametrize("time", ["90s", "10m", "1.5h", "3d", "1w", "00:00", "2026-11-22T10:00Z"])
async def test_times_that_are_understood(directory: Path, time: str) -> None:
    assert run(["--until", time, "--last", "1"], directory).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["--journal", "absent.db"], 1, "No such file"),
        (["--since", "yesterday"], 2, "is not a time"),
        (["--nick", "a b"], 2, "a nick is made of"),
        (["--search", " * "], 2, "some word is needed"),
        (["--last", "0"], 2, "--last"),
    ],
)
async def test_mistakes_get_a_clear_line(
    directory: Path, arguments: list[str], code: int, why: str
) -> None:
    result = run(arguments, directory)
    assert result.returncode == code
    assert why in re.sub(r"\s+", " ", result.stderr)
    assert "Traceback" not in result.stderr


async def test_a_reader_that_has_seen_enough(directory: Path) -> None:
    command = f"{sys.executable} -m chatroom history --json | head -n 1"
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout.count("\n"), result.stderr) == (1, "")


async def test_a_backup_is_read_like_the_journal(directory: Path) -> None:
    command = [sys.executable, "-m", "chatroom", "backup", "copy.db"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("copy.db: ")
    assert run(["--journal", "copy.db"], directory).stdout == run([], directory).stdout
    again = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "cannot make copy.db: File exists" in again.stderr
