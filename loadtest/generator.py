"""One run of the swarm, in a process of its own: `python -m loadtest.generator`.

Reads an `Assignment` as JSON from standard input and writes a `RunResult` as JSON to standard
output. A run that was not possible writes one line on standard error and ends with 1.
"""

from __future__ import annotations

import os
import sys

import msgspec
import trio

from chatroom.errors import ChatroomError
from chatroom.swarm.figures.result import RunResult
from chatroom.swarm.processes.process import run_alone
from chatroom.swarm.settings import SwarmSettings
from loadtest.dialects import ALL_DIALECTS


class Assignment(msgspec.Struct):
    """What to run, and on which core."""

    settings: SwarmSettings
    core: int | None = None


def perform(assignment: Assignment) -> RunResult:
    """Run it here and now."""
    if assignment.core is not None:
        os.sched_setaffinity(0, {assignment.core})
    settings = assignment.settings
    dialect = ALL_DIALECTS[settings.dialect]()
    if dialect.echoes and settings.talkers == 1:
        # A talker among many must listen; a single one would only hear itself, where this
        # project's protocol spares it that, and cost the peer a delivery more for each message.
        dialect.talkers_listen = False
    # What leaving in order costs the server is not to be in its memory and CPU figures.
    dialect.goodbye = b""
    return trio.run(run_alone, settings, dialect)


def main() -> None:
    """Read, run, write."""
    assignment = msgspec.json.decode(sys.stdin.buffer.read(), type=Assignment)
    try:
        result = perform(assignment)
    except* ChatroomError as group:
        print(*(str(error) for error in _flat(group)), sep="\n", file=sys.stderr)
        sys.exit(1)
    sys.stdout.buffer.write(msgspec.json.encode(result))


def _flat(group: BaseExceptionGroup[ChatroomError]) -> list[ChatroomError]:
    errors: list[ChatroomError] = []
    for error in group.exceptions:
        errors += _flat(error) if isinstance(error, BaseExceptionGroup) else [error]
    return errors


if __name__ == "__main__":
    main()
