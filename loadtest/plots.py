"""The pictures of a comparison. Needs matplotlib (the extra `report`)."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from chatroom.errors import ChatroomError
from loadtest.compare import Comparison, Figures, WorkFigures
from loadtest.peers import NULL, PEERS
from loadtest.work import DELIVERIES, FORMATS, MEDIAN, MEMORY, P99

DELIVERIES_PICTURE = "deliveries.svg"
READERS_PICTURE = "readers.svg"
MEMORY_PICTURE = "memory.svg"

#: Ours stand out, everyone else keeps a colour of their own in all pictures.
COLORS = {
    "epoll": "#1b6ca8",
    "disk": "#4d6f8f",
    "thread": "#7fb2d9",
    "irc": "#2f8f9d",
    "c-epoll": "#d9730d",
    "redis": "#b23a48",
    "nats": "#2a9d6f",
    "mosquitto": "#7b5ea7",
    "ngircd": "#8a8d3b",
    "inspircd": "#5b5f97",
}
OTHER_FORMATS = {"json": "#4a90c4", "ws": "#5fb3b3"}


def prepare(directory: Path) -> None:
    """Make the directory, before the runs.

    Raises:
        ChatroomError: it can't be made, or there is no matplotlib.
    """
    if find_spec("matplotlib") is None:
        raise ChatroomError(
            "--report draws with matplotlib, which is not installed: pip install 'chatroom[report]'"
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ChatroomError(f"cannot write to {directory}: {error.strerror}") from None


def draw(results: Comparison, directory: Path) -> list[Path]:
    """Draw what the results have figures for; returns the pictures' paths."""
    import matplotlib as mpl  # noqa: PLC0415 - heavy

    drawn = []
    with mpl.rc_context({"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 11}):
        for name, picture in (
            (DELIVERIES_PICTURE, _deliveries),
            (READERS_PICTURE, _readers),
            (MEMORY_PICTURE, _memory),
        ):
            if picture(results, directory / name):
                drawn.append(directory / name)
    return drawn


def _caption(results: Comparison) -> str:
    place = results.environment
    return (
        f"{place.cpu}, {place.kernel.split('-')[0]}, loopback, one core for the server;"
        f" medians of {results.repeat}, {results.began[:10]}"
    )


def _deliveries(results: Comparison, path: Path) -> bool:
    """Deliveries a second side by side, one panel for each workload."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    from chatroom.swarm.report.pictures import INK, SOFT, dress  # noqa: PLC0415

    works = [work for work in results.works if DELIVERIES.key in work.measures]
    works = [work for work in works if work.format == "plain" and any(_bars(work, results))]
    if not works:
        return False
    most = max(len(_bars(work, results)) for work in works)
    figure = Figure(figsize=(9.5, 1.5 + (0.42 * most + 1.0) * len(works)), layout="constrained")
    panels = figure.subplots(len(works), 1, squeeze=False, sharex=True)
    for axes, work in zip(panels[:, 0], works, strict=True):
        bars = _bars(work, results)
        dress(axes, work.title, _caption(results) if work is works[0] else "")
        axes.grid(visible=False, axis="y")
        base = next((value for title, value, _, _ in bars if title == PEERS["c-epoll"].title), None)
        for place, (title, value, color, mark) in enumerate(reversed(bars)):
            axes.barh(place, value, color=color, height=0.72)
            ratio = f"   {value / base:.1f} times C" if base and value != base else ""
            axes.text(
                value * 1.06,
                place,
                f"{value:,.0f}{mark}{ratio}",
                va="center",
                color=INK,
                fontsize=10,
            )
            axes.text(1.0e4 * 0.94, place, title, va="center", ha="right", color=INK, fontsize=11)
        axes.set_yticks([])
        axes.set_xscale("log")
        axes.set_xlim(1e4, max(value for _, value, _, _ in bars) * 6)
    panels[-1, 0].set_xlabel("deliveries a second, log scale", color=SOFT)
    if any(mark for work in works for *_, mark in _bars(work, results)):
        figure.supxlabel(
            "† limited by the load generator: at least this much",
            color=SOFT,
            fontsize=9,
            ha="left",
            x=0.02,
        )
    figure.savefig(path)
    return True


def _bars(work: WorkFigures, results: Comparison) -> list[tuple[str, float, str, str]]:
    """Title, deliveries a second, colour, mark; the fastest first."""
    bars = []
    for figures in work.figures:
        value = figures.median(DELIVERIES.key)
        if value and figures.peer != NULL.name:
            mark = " †" if figures.limited_by_generator else ""
            bars.append((PEERS[figures.peer].title, value, COLORS[figures.peer], mark))
    for format, color in OTHER_FORMATS.items():
        other = next((some for some in results.works if some.work == f"{work.work}-{format}"), None)
        ours = other.of("epoll") if other is not None else None
        if ours is not None and (value := ours.median(DELIVERIES.key)):
            mark = " †" if ours.limited_by_generator else ""
            bars.append((f"{PEERS['epoll'].title}, {FORMATS[format]}", value, color, mark))
    return sorted(bars, key=lambda bar: -bar[1])


def _series(results: Comparison, family: str) -> dict[str, list[tuple[int, Figures]]]:
    """By peer: clients or readers, and the figures, for the works called `family-N`."""
    series: dict[str, list[tuple[int, Figures]]] = {}
    for work in results.works:
        if (match := re.fullmatch(rf"{family}-(\d+)", work.work)) is None:
            continue
        for figures in work.figures:
            if figures.peer != NULL.name and figures.values:
                series.setdefault(figures.peer, []).append((int(match[1]), figures))
    return {peer: sorted(points, key=lambda point: point[0]) for peer, points in series.items()}


def _readers(results: Comparison, path: Path) -> bool:
    """Latency against the number of readers."""
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.ticker import FuncFormatter  # noqa: PLC0415

    from chatroom.swarm.report.console import duration  # noqa: PLC0415
    from chatroom.swarm.report.pictures import INK, SOFT, dress  # noqa: PLC0415

    series = _series(results, "paced")
    if not any(len(points) > 1 for points in series.values()):
        return False
    figure = Figure(figsize=(9.5, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, measure, title in ((left, MEDIAN, "Median latency"), (right, P99, "p99 latency")):
        dress(axes, title, "1 talker, 50 messages a second" if axes is left else "")
        for peer, points in series.items():
            known = [(readers, figures.median(measure.key)) for readers, figures in points]
            xs = [readers for readers, value in known if value]
            ys = [value for _, value in known if value]
            axes.plot(
                xs,
                ys,
                color=COLORS[peer],
                marker="o",
                markersize=5,
                linewidth=3 if peer == "epoll" else 1.8,
                label=PEERS[peer].title,
                zorder=3 if peer == "epoll" else 2,
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: duration(value).replace(".00", ""))
        )
        axes.set_xlabel("readers", color=INK)
    left.legend(frameon=False, labelcolor=INK, fontsize=10)
    figure.supxlabel(_caption(results), color=SOFT, fontsize=9, ha="left", x=0.02)
    figure.savefig(path)
    return True


def _memory(results: Comparison, path: Path) -> bool:
    """Connections against memory."""
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.ticker import FuncFormatter  # noqa: PLC0415

    from chatroom.swarm.report.pictures import INK, dress  # noqa: PLC0415

    series = _series(results, "connected")
    if not series:
        return False
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    dress(axes, "Resident memory of the server", _caption(results))
    for peer, points in series.items():
        known = [(clients, figures.median(MEMORY.key)) for clients, figures in points]
        axes.plot(
            [clients for clients, value in known if value],
            [value for _, value in known if value],
            color=COLORS[peer],
            marker="o",
            markersize=5,
            linewidth=3 if peer == "epoll" else 1.8,
            label=PEERS[peer].title,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f} MB"))
    axes.set_xlabel("connections", color=INK)
    axes.legend(frameon=False, labelcolor=INK, fontsize=10)
    figure.savefig(path)
    return True
