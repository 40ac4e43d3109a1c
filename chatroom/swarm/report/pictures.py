"""The pictures of a run: the percentile spectrum, and latency over time. Needs matplotlib."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from chatroom.swarm.figures.result import Latency, RunResult
from chatroom.swarm.report.console import duration
from chatroom.swarm.report.files import SPECTRUM, TIMELINE

INK, SOFT, GRID = "#1f2933", "#7b8794", "#e4e7eb"
BLUE, ORANGE, GREY = "#1b6ca8", "#d9730d", "#9aa5b1"


def draw(result: RunResult, directory: Path) -> None:
    """Write the two pictures."""
    with mpl.rc_context({"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 11}):
        _spectrum(result, directory / SPECTRUM)
        _timeline(result, directory / TIMELINE)


def _caption(result: RunResult) -> str:
    work = result.settings
    pace = f"{work.in_flight} in flight" if work.in_flight else f"{work.rate:,g} messages/s"
    return (
        f"{work.bots:,} bots, {work.talkers:,} talking, {pace}, {work.size} bytes, {work.dialect};"
        f" {result.environment.cpu}, {result.environment.kernel}"
    )


def dress(axes: Axes, title: str, caption: str) -> None:
    """The look that all pictures share: a title that says what is seen, and no frame."""
    axes.set_title(title, loc="left", color=INK, fontsize=14, fontweight="bold", pad=28)
    axes.text(0, 1.03, caption, transform=axes.transAxes, color=SOFT, fontsize=9)
    axes.grid(visible=True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _time_axis(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: duration(value).replace(".00", ""))
    )
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda _value, _position: ""))


def _points(latency: Latency) -> tuple[list[float], list[float]]:
    """Nines on the x axis, µs on the y axis."""
    nines, values, so_far = [], [], 0
    for value, samples in latency.buckets:
        beyond = latency.count - so_far
        nines.append(math.log10(latency.count / beyond))
        values.append(float(max(1, min(value, latency.max_us))))
        so_far += samples
    if nines:
        nines.append(math.log10(latency.count))
        values.append(float(max(1, latency.max_us)))
    return nines, values


def _spectrum(result: RunResult, path: Path) -> None:
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    for name, latency, color in (
        ("to its arrival at each reader", result.latency, BLUE),
        ("to its sending", result.send_lag, GREY),
    ):
        nines, values = _points(latency)
        if nines:
            axes.step(nines, values, where="post", color=color, linewidth=2, label=name)
    p50, p99 = (result.latency.percentiles_us[key] for key in ("50", "99"))
    dress(axes, f"Latency: p50 {duration(p50)}, p99 {duration(p99)}", _caption(result))
    _time_axis(axes)
    most = max(1.0, math.log10(max(result.latency.count, 10)))
    ticks = [0.0, math.log10(2), *range(1, int(most) + 1)]
    names = ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"]
    axes.set_xticks(ticks[: len(names)], names[: len(ticks)])
    axes.set_xlabel("percentile of deliveries", color=INK)
    axes.set_ylabel("from when a message was due", color=INK)
    if axes.has_data():  # else matplotlib warns that there is nothing to name
        axes.legend(frameon=False, loc="upper left", labelcolor=INK)
    figure.savefig(path)


def _timeline(result: RunResult, path: Path) -> None:
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    seconds = [second.second + 0.5 for second in result.series]
    for name, color, values in (
        ("max", GREY, [second.max_us or math.nan for second in result.series]),
        ("p99", ORANGE, [second.p99_us or math.nan for second in result.series]),
        ("p50", BLUE, [second.p50_us or math.nan for second in result.series]),
    ):
        axes.plot(seconds, values, color=color, linewidth=2, marker="o", markersize=3, label=name)
    dress(axes, "Latency over time", _caption(result))
    _time_axis(axes)
    axes.set_xlim(0, max(len(seconds), 1))
    axes.set_xlabel("second in which the message was due", color=INK)
    axes.set_ylabel("from when it was due to its arrival", color=INK)
    axes.legend(frameon=False, loc="upper right", labelcolor=INK, ncols=3)
    figure.savefig(path)
