"""What is shown while a run goes on."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self, TextIO

import trio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from chatroom.swarm.figures.status import Phase, Status
from chatroom.swarm.report.console import duration
from chatroom.swarm.settings import SwarmSettings

#: A terminal gets a picture so often; a log file a line a second.
_TERMINAL_SECONDS = 0.25
_LOG_SECONDS = 1.0


class Observer(Protocol):
    """Something that has a status."""

    def status(self) -> Status:
        """How the run goes."""


async def show(run: Observer, settings: SwarmSettings, stream: TextIO) -> None:
    """Show a run on a stream until cancelled: live on a terminal, else a line a second."""
    view = _Terminal(settings, stream) if stream.isatty() else _Log(settings, stream)
    with view:
        while True:
            await trio.sleep(view.seconds)
            view.show(run.status())


class _Log:
    """A line for each second, for logs."""

    seconds = _LOG_SECONDS

    def __init__(self, settings: SwarmSettings, stream: TextIO) -> None:
        self._settings = settings
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Each line has been flushed."""

    def show(self, status: Status) -> None:
        line = (
            f"{status.phase}: {status.connected:,}/{status.bots:,} connected,"
            f" {status.seconds:.0f}/{self._settings.duration_seconds:g} s,"
            f" {status.sent_per_second:,.0f} sent/s,"
            f" {status.delivered_per_second:,.0f} delivered/s,"
            f" p50 {duration(status.p50_us)}, p99 {duration(status.p99_us)},"
            f" lag p99 {duration(status.lag_p99_us)}, {status.errors} errors"
        )
        with suppress(OSError):  # that nobody can look on is no reason to end the run
            print(line, file=self._stream, flush=True)


class _Terminal:
    """A small table that is drawn over itself."""

    seconds = _TERMINAL_SECONDS

    def __init__(self, settings: SwarmSettings, stream: TextIO) -> None:
        self._settings = settings
        self._live = Live(
            console=Console(file=stream), auto_refresh=False, transient=True, redirect_stdout=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, status: Status) -> None:
        self._live.update(self._picture(status), refresh=True)

    def _picture(self, status: Status) -> RenderableType:
        work = self._settings
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(justify="right", min_width=12)
        table.add_column(style="dim")
        target = f"of {work.rate:,g}" if work.in_flight is None else f"{work.in_flight:,} in flight"
        full = (
            f"of {(work.rate or 0) * max(status.bots - 1, 0):,.0f}"
            if work.in_flight is None
            else ""
        )
        table.add_row("connected", f"{status.connected:,}", f"of {status.bots:,}")
        table.add_row("sent/s", f"{status.sent_per_second:,.0f}", target)
        table.add_row("delivered/s", f"{status.delivered_per_second:,.0f}", full)
        table.add_row("p50", duration(status.p50_us), "of the last second")
        table.add_row("p99", duration(status.p99_us), "")
        table.add_row("send lag p99", duration(status.lag_p99_us), "the swarm's own delay")
        style = "bold red" if status.errors else ""
        table.add_row("errors", Text(f"{status.errors:,}", style=style), "")
        if status.phase is Phase.CONNECTING:
            done, total = float(status.connected), float(status.bots)
        else:
            done, total = status.seconds, work.duration_seconds
        bar = ProgressBar(total=max(total, 1e-9), completed=done, width=40)
        headline = Text(f"{status.phase}  ", style="bold")
        line = Table.grid(padding=(0, 1))
        line.add_row(headline, bar, f"{done:,.0f}/{total:,.0f}")
        return Group(line, table)
