"""`chatroom swarm` from its settings to its exit code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import msgspec
import trio
from rich.console import Console

from chatroom.errors import ChatroomError
from chatroom.swarm.figures.result import EXIT_CODES, RunResult
from chatroom.swarm.figures.threshold import Threshold
from chatroom.swarm.processes.process import run_alone
from chatroom.swarm.report.console import print_result
from chatroom.swarm.report.files import prepare, write_files
from chatroom.swarm.settings import SwarmSettings
from chatroom.swarm.wire.dialect import dialect_of


class Invocation(msgspec.Struct):
    """What the command line asks for."""

    settings: SwarmSettings
    thresholds: Sequence[Threshold] = ()
    report: Path | None = None
    json: bool = False


def run_command(wanted: Invocation, output: TextIO, progress: TextIO) -> int:
    """Run, report, and return the exit code.

    Args:
        wanted: the work and what to make of it.
        output: gets the report, or with `json` the result as one JSON document.
        progress: gets the live view.

    Raises:
        ChatroomError: the run was not possible; or what came of it could not be printed, or not be
            written, each of which is tried whatever becomes of the other.
    """
    if wanted.report is not None:
        prepare(wanted.report)
    settings = wanted.settings
    if settings.processes > 1:
        from chatroom.swarm.processes.team import run_together  # noqa: PLC0415 - rarely needed

        result = trio.run(run_together, settings, wanted.thresholds, progress)
    else:
        dialect = dialect_of(settings.dialect)
        result = trio.run(run_alone, settings, dialect, wanted.thresholds, progress)
    failed: list[str] = []
    try:
        _print(result, wanted, output)
    except OSError as error:
        failed.append(f"cannot write the output: {error.strerror}")
        # Nor should Python complain of what is left to be written when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
    if wanted.report is not None:
        try:
            _write(result, wanted.report)
        except OSError as error:
            failed.append(f"cannot write to {wanted.report}: {error.strerror}")
    if failed:
        raise ChatroomError("; ".join(failed))
    return EXIT_CODES[result.outcome]


def _print(result: RunResult, wanted: Invocation, output: TextIO) -> None:
    if wanted.json:
        output.write(msgspec.json.encode(result).decode() + "\n")
    else:
        print_result(result, Console(file=output, highlight=False))
        if wanted.report is not None:
            print(f"report in {wanted.report}", file=output)
    output.flush()


def _write(result: RunResult, directory: Path) -> None:
    from chatroom.swarm.report.pictures import draw  # noqa: PLC0415 - matplotlib is heavy

    write_files(result, directory)
    draw(result, directory)
