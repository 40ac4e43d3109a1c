"""The command: a network, a directory, the run, the report."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import trio

from loadtest.soak.network import enter_own_network, place
from loadtest.soak.report import is_good, report
from loadtest.soak.soak import Result, Soak


def soak(seconds: float, seed: int) -> bool:
    """Run it, and print what came of it; was every promise kept?

    Raises `ChatroomError` if it was not possible.
    """
    is_own_network = enter_own_network()
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        run = Soak(
            place=place(is_own_network=is_own_network),
            directory=Path(directory),
            seed=seed,
            is_own_network=is_own_network,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
        result: Result = trio.run(run.run, seconds)
    for line in report(result):
        print(line)
    return is_good(result)
