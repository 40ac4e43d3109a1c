"""A program is waited for by what it writes, and never waits for its reader."""

from __future__ import annotations

import signal
import sys

import pytest

from chatroom.errors import ChatroomError
from loadtest.started import started


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_what_it_writes_is_waited_for_and_its_end_is_in_order() -> None:
    lines = "import sys, time; print('x' * 200_000, 'then ready 7', sep='\\n', file=sys.stderr)"
    with started(python(f"{lines}; time.sleep(60)")) as program:
        assert program.wait_for("ready") == "then ready 7\n"
        assert program.wait_for("then") == "then ready 7\n"
    assert program.process.returncode == -signal.SIGINT


def test_one_that_ends_without_saying_it_is_an_error_with_what_it_said() -> None:
    with (
        pytest.raises(ChatroomError, match=r"did not say 'ready': no room here"),
        started(python("print('no room here')")) as program,
    ):
        program.wait_for("ready")


def test_one_that_does_not_say_it_in_time_is_an_error() -> None:
    with (
        pytest.raises(ChatroomError, match="did not say 'ready'"),
        started(python("import time; time.sleep(60)")) as program,
    ):
        program.wait_for("ready", seconds=0.01)
