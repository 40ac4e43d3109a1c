"""The end of a run on the terminal: verdict, work, machine, latencies, audit."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from chatroom.swarm.figures.feed import FeedFigures
from chatroom.swarm.figures.result import Latency, RunOutcome, RunResult

_WORDS = {
    RunOutcome.PASS: ("PASS", "bold green"),
    RunOutcome.FAULTS: ("FAULTS", "bold red"),
    RunOutcome.SLOWED: ("SLOWED BY THE SERVER", "bold yellow"),
    RunOutcome.GENERATOR_BOUND: ("GENERATOR-BOUND", "bold yellow"),
    RunOutcome.THRESHOLD: ("THRESHOLD CROSSED", "bold red"),
    RunOutcome.INTERRUPTED: ("INTERRUPTED", "bold yellow"),
}


def duration(value_us: float | None) -> str:
    """Microseconds for people: `87 µs`, `1.24 ms`, `2.50 s`; `n/a` for None."""
    if value_us is None:
        return "n/a"
    if value_us < 1_000:
        return f"{value_us:.0f} µs"
    if value_us < 1_000_000:
        return f"{value_us / 1_000:.2f} ms"
    return f"{value_us / 1_000_000:.2f} s"


def print_result(result: RunResult, console: Console) -> None:
    """Print the whole report."""
    console.print()
    console.print(_settings(result))
    console.print()
    console.print(_counts(result))
    console.print(_latencies(result))
    if result.servers:
        console.print(_servers(result))
    for limit in result.thresholds:
        mark = "[green]kept[/]" if limit.kept else "[red]crossed[/]"
        console.print(f"threshold {escape(limit.text)}: {mark}")
    if result.newcomers is not None:
        newcomers = result.newcomers
        console.print(
            f"newcomers: {newcomers.entered:,} of {newcomers.newcomers:,} in the room after"
            f" {newcomers.seconds:.2f} s ({newcomers.per_second:,.0f}/s)"
        )
    console.print(_verdict(result))


def _settings(result: RunResult) -> Table:
    """What was asked for, and where it ran, a line for each: a wide one wraps under itself."""
    work, place = result.settings, result.environment
    pace = (
        f"{work.in_flight:,} in flight"
        if work.in_flight is not None
        else f"{work.rate:,g} messages/s"
    )
    processes = f", {work.processes} processes" if work.processes > 1 else ""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_row(
        "settings",
        f"{work.bots:,} bots, {work.talkers:,} talking{processes}; {pace}; texts of {work.size}"
        f" bytes, {work.dialect}, {work.mode}; {result.seconds:.1f} s measured after"
        f" {work.warmup_seconds:g} s of warm-up; {work.place}",
    )
    table.add_row(
        "environment",
        f"{place.cpu}, {place.cpus} cores, allowed {_cores(place.cpus_allowed)}; {place.kernel};"
        f" {place.python}; chatroom {place.chatroom}, trio {place.trio}",
    )
    table.add_row("audit", _audit(result))
    if result.feed is not None:
        table.add_row("feed", _feed(result.feed))
    if result.given_up:
        table.add_row("closed loop", f"went on without {result.given_up:,} messages after 2 s")
    return table


def _cores(allowed: list[int]) -> str:
    return ",".join(str(core) for core in allowed)


def _counts(result: RunResult) -> Table:
    table = Table("sent", "sent/s", "delivered", "expected", "lost", "delivered/s", "swarm CPU")
    for column in table.columns:
        column.justify = "right"
    table.add_row(
        f"{result.sent:,}",
        f"{result.sent_per_second:,.1f}",
        f"{result.delivered:,}",
        f"{result.expected:,}",
        f"{result.audit.faults.lost:,}",
        f"{result.delivered_per_second:,.0f}",
        f"{result.cpu_share:.0%}",
    )
    return table


def _servers(result: RunResult) -> Table:
    table = Table("server", "readers", "sent", "delivered/s", "p50", "p99", "faults")
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for one in result.servers:
        table.add_row(
            escape(one.server),
            f"{one.readers:,}",
            f"{one.sent:,}",
            f"{one.delivered_per_second:,.0f}",
            *(duration(one.latency.percentiles_us[name]) for name in ("50", "99")),
            f"{one.faults:,}",
        )
    return table


def _latencies(result: RunResult) -> Table:
    table = Table("from when it was due", "to its arrival", "beyond", "to its sending", "beyond")
    for column in table.columns[1:]:
        column.justify = "right"
    arrival, sending = result.latency, result.send_lag
    for name in arrival.percentiles_us:
        table.add_row(f"p{name}", *_cells(arrival, name), *_cells(sending, name))
    table.add_row("max", *_last(arrival, arrival.max_us), *_last(sending, sending.max_us))
    table.add_row("mean", *_last(arrival, arrival.mean_us), *_last(sending, sending.mean_us))
    table.add_row("samples", f"{arrival.count:,}", "", f"{sending.count:,}", "")
    return table


def _cells(latency: Latency, name: str) -> tuple[str, str]:
    return duration(latency.percentiles_us[name]), f"[dim]{latency.beyond[name]:,}[/]"


def _last(latency: Latency, value_us: float) -> tuple[str, str]:
    return duration(value_us if latency.count else None), ""


def _audit(result: RunResult) -> str:
    audit = result.audit
    counts = ", ".join(
        f"{getattr(audit.faults, name):,} {name}" for name in audit.faults.__struct_fields__
    )
    lines = [
        f"{audit.messages:,} messages, {audit.readers:,} readers: {counts}, {audit.disconnected:,}"
        f" disconnected; {'one order' if _one_order(result) else 'NOT one order'} for all"
    ]
    for reader in audit.worst:
        found = [
            f"{count:,} {name}"
            for name in reader.faults.__struct_fields__
            if (count := getattr(reader.faults, name))
        ]
        if reader.gone:
            found.append(f"disconnected ({reader.gone})")
        lines.append(f"{reader.name}: {', '.join(found)}")
    return escape("\n".join(lines))


def _feed(feed: FeedFigures) -> str:
    p50, p99 = (feed.repair_seconds(per_cent) for per_cent in (50, 99))
    lines = [
        f"{len(feed.listeners):,} listeners: {feed.total('received'):,} events,"
        f" {feed.total('gaps'):,} gaps, {feed.total('repaired'):,} repaired with"
        f" {feed.total('requests'):,} requests, {feed.total('lost'):,} lost,"
        f" {feed.total('kernel_drops'):,} kernel drops; repair p50"
        f" {duration(p50 and p50 * 1e6)}, p99 {duration(p99 and p99 * 1e6)}"
    ]
    lines += [
        f"{one.name}: {one.gaps:,} gaps, {one.repaired:,} repaired with {one.requests:,} requests,"
        f" {one.lost:,} lost, {one.kernel_drops:,} kernel drops"
        for one in feed.worst()
    ]
    return escape("\n".join(lines))


def _one_order(result: RunResult) -> bool:
    return result.same_order and result.audit.faults.reordered == 0


def _verdict(result: RunResult) -> Text:
    word, style = _WORDS[result.outcome]
    line = Text(word, style=style)
    if result.reasons:
        line.append(": " + "; ".join(result.reasons), style="default not bold")
    else:
        p50, p99 = (result.latency.percentiles_us[name] for name in ("50", "99"))
        line.append(
            f": every reader got every message, once, in one order; p50 {duration(p50)},"
            f" p99 {duration(p99)}",
            style="default not bold",
        )
    return line
