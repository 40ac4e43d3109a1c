"""The command: a network, a directory, the run, the report."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import trio

from loadtest.soak.faults import chosen
from loadtest.soak.network import enter_own_network, place
from loadtest.soak.report import is_good, report
from loadtest.soak.soak import Soak


def soak(seconds: float, seed: int, faults: Sequence[str] = ()) -> int:
    """Run it with the `faults` that are named, or all, and print what came of it, also if SIGINT or
    SIGTERM ends it early.

    Returns the exit code: 0 every promise was kept, 1 one was not, 130 ended early.

    Raises `ChatroomError` if it was not possible.
    """
    kinds = chosen(faults)
    is_own_network = enter_own_network()
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        run = Soak(
            place=place(is_own_network=is_own_network),
            directory=Path(directory),
            seed=seed,
            kinds=kinds,
            is_own_network=is_own_network,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
        is_whole = trio.run(_run, run, seconds)
    for line in report(run.result):
        print(line)
    if not is_good(run.result):
        return 1
    return 0 if is_whole else 130


async def _run(run: Soak, seconds: float) -> bool:
    """Did it come to its end?"""
    is_whole = False
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_at, signals, nursery.cancel_scope)
            await run.run(seconds)
            is_whole = True
            nursery.cancel_scope.cancel()
    if not is_whole:
        print("ended early: these are the results so far", file=sys.stderr)
    return is_whole


async def _cancel_at(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    async for _ in signals:
        scope.cancel()
