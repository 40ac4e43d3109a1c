"""The feed on a pipe: a line out for each event, and for each that is lost."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial

import msgspec
import trio

from chatroom.client.feed.lines import REJOINED, UNREADABLE, json_line, plain_line, statistics_lines
from chatroom.client.terminal.streams import wait_reader_gone, write
from chatroom.errors import ChatroomError
from chatroom.feed.beside import beside
from chatroom.feed.listener import Listener
from chatroom.feed.reassembly import Outcome, SessionBegan


async def listen_on_pipe(opening: AbstractAsyncContextManager[Listener], *, json: bool) -> None:
    """Print the feed on stdout until SIGINT, SIGTERM or the end of its reader; then the counts on
    stderr. Raises what `opening` does, and `ChatroomError` if the output can't be written.
    Cancelled, it leaves the group, and a line may have been written in part.
    """
    async with opening as feed:
        with (
            trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals,
            trio.CancelScope() as scope,
        ):
            watching = partial(_watch_signals, signals, scope), partial(_watch_reader, scope)
            async with beside(*watching):
                await _print_all(feed, json=json)
        for line in statistics_lines(feed.statistics):
            print(f"-- {line}", file=sys.stderr)


async def _watch_signals(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    async for _ in signals:
        scope.cancel()


async def _watch_reader(scope: trio.CancelScope) -> None:
    await wait_reader_gone(sys.stdout.fileno())
    scope.cancel()


async def _print_all(feed: Listener, *, json: bool) -> None:
    first, warned, rejoined = True, False, 0
    while True:
        outcomes = await feed.receive()
        if first:  # that it listens is no news; a log that begins anew is
            outcomes = [one for one in outcomes if not isinstance(one, SessionBegan)]
            first = False
        counts = feed.statistics
        if counts.rejoined != rejoined:
            print(f"-- {REJOINED}", file=sys.stderr)
        rejoined, ignored = counts.rejoined, counts.ignored
        try:
            await write(sys.stdout.fileno(), render(feed, outcomes, json=json))
        except BrokenPipeError:
            return  # nobody reads any more, as behind `head`
        except OSError as error:
            raise ChatroomError(f"cannot write the output: {error.strerror}") from error
        if not warned and counts.ignored != ignored:
            print(f"-- {UNREADABLE}", file=sys.stderr)
            warned = True


def render(feed: Listener, outcomes: Iterable[Outcome], *, json: bool) -> bytes:
    """The lines for some outcomes; what is not an event is left out, and counted as ignored."""
    lines: list[bytes] = []
    for outcome in outcomes:
        try:
            line = json_line(outcome) if json else plain_line(outcome).encode()
        except msgspec.MsgspecError:
            feed.statistics.ignored += 1
        else:
            lines.append(line + b"\n")
    return b"".join(lines)
