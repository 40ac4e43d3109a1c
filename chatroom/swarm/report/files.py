"""`--report DIR`: the run as files."""

from __future__ import annotations

import csv
import math
from importlib.util import find_spec
from pathlib import Path

import msgspec

from chatroom.errors import ChatroomError
from chatroom.swarm.figures.result import Latency, RunResult

#: In DIR.
RUN_JSON = "run.json"
PERCENTILES = "latency.hgrm"
SERIES = "series.csv"
SPECTRUM = "latency.svg"
TIMELINE = "timeline.svg"


def prepare(directory: Path) -> None:
    """Make the directory, before the run: afterwards it would be too late to learn that it fails.

    Raises:
        ChatroomError: it can't be written to, or pictures can't be drawn here.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in (RUN_JSON, PERCENTILES, SERIES, SPECTRUM, TIMELINE):
            _probe(directory / name)
    except OSError as error:
        raise ChatroomError(f"cannot write to {directory}: {error.strerror}") from None
    if find_spec("matplotlib") is None:
        raise ChatroomError(
            "--report draws pictures with matplotlib, which is not installed:"
            " pip install 'chatroom[report]'"
        )


def _probe(path: Path) -> None:
    """Raises `OSError` if a file there can't be written. Leaves everything as it is."""
    is_there = path.exists()
    with path.open("ab"):
        pass
    if not is_there:
        path.unlink()


def write_files(result: RunResult, directory: Path) -> None:
    """Write run.json, latency.hgrm and series.csv."""
    encoded = msgspec.json.format(msgspec.json.encode(result), indent=1)
    (directory / RUN_JSON).write_bytes(encoded + b"\n")
    (directory / PERCENTILES).write_text(hgrm(result.latency), encoding="utf-8")
    with (directory / SERIES).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        names = [*result.series[0].__struct_fields__] if result.series else []
        writer.writerow(names)
        for second in result.series:
            writer.writerow(
                "" if value is None else value for value in msgspec.structs.astuple(second)
            )


def hgrm(latency: Latency) -> str:
    """A distribution as HdrHistogram's tools print and plot it, values in milliseconds.

    Columns: value, percentile as a part of 1, samples up to it, 1/(1-percentile).
    """
    lines = [f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}", ""]
    so_far, next_percentile = 0, 0.0
    for value_us, samples in latency.buckets:
        so_far += samples
        part = so_far / latency.count
        if part * 100 < next_percentile and so_far < latency.count:
            continue
        value = min(value_us, latency.max_us) / 1000
        inverse = f"{1 / (1 - part):14.2f}" if so_far < latency.count else "inf".rjust(14)
        lines.append(f"{value:12.3f} {part:2.12f} {so_far:10d} {inverse}")
        next_percentile = _next(part * 100)
    mean, deviation = latency.mean_us / 1000, _deviation(latency)
    lines += [
        f"#[Mean    = {mean:12.3f}, StdDeviation   = {deviation:12.3f}]",
        f"#[Max     = {latency.max_us / 1000:12.3f}, Total count    = {latency.count:12d}]",
        f"#[Buckets = {22:12d}, SubBuckets     = {2048:12d}]",
        "",
    ]
    return "\n".join(lines)


def _next(percentile: float) -> float:
    """The next percentile to print: five steps each time the distance to 100 % halves."""
    if percentile >= 100:
        return 100.0
    halvings = int(math.log2(100 / (100 - percentile))) + 1
    return float(percentile + 100 / (5 * 2**halvings))


def _deviation(latency: Latency) -> float:
    """The standard deviation in ms."""
    if not latency.count:
        return 0.0
    squares: float = sum(
        samples * (value - latency.mean_us) ** 2 for value, samples in latency.buckets
    )
    return math.sqrt(squares / latency.count) / 1000
