"""The comparison as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.compare import Comparison, Figures, WorkFigures, amount
from loadtest.peers import NULL, PEERS
from loadtest.work import DELIVERIES, ENTERED, MEDIAN, MEMORY, P99, Measure, split

MEASURES: dict[str, Measure] = {
    measure.key: measure for measure in (DELIVERIES, MEDIAN, P99, MEMORY, ENTERED)
}

#: What the others are compared with.
BASE = "c-epoll"


def markdown(results: Comparison) -> str:
    """Everything, for a file that people read."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Comparison) -> Iterator[str]:
    place = results.environment
    yield "# chatroom beside its peers"
    yield ""
    yield f"    {results.command}"
    yield ""
    yield (
        f"{results.began}. {place.cpu}, {place.cpus} cores; {place.kernel}; {place.python};"
        f" chatroom {place.chatroom}, trio {place.trio}. {results.cores[0].upper()}"
        f"{results.cores[1:]}. Medians of {results.repeat} interleaved runs of"
        f" {results.seconds:g} s (twice that at 2 messages a second), texts of 100 bytes."
    )
    versions = [f"{PEERS[name].title}: {said}" for name, said in results.versions.items() if said]
    if versions:
        yield ""
        yield "; ".join(versions) + "."
    for name, why in results.left_out.items():
        yield ""
        yield f"Left out: {PEERS[name].title}, because {why}."
    for work in results.works:
        yield ""
        yield from _work(work, results)
    yield ""
    yield (
        "† above 70 % of what the generator reaches by itself: at least this much.  "
        "‡ the audit found faults in these runs.  "
        "Latency counts from when a message was due; p99 is n/a with fewer than ten samples"
        " beyond it."
    )


def _work(work: WorkFigures, results: Comparison) -> Iterator[str]:
    yield f"## {work.title} (`{work.work}`)"
    yield ""
    measures = [MEASURES[key] for key in work.measures]
    base = work.of(BASE) or _plain_base(work, results)
    heads = ["peer"]
    for measure in measures:
        heads += [measure.title, "lowest-highest", f"/ {PEERS[BASE].title}"]
    heads.append("generator CPU")
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" + "---:|" * (len(heads) - 1)
    for figures in work.figures:
        yield "| " + " | ".join(_row(figures, measures, base)) + " |"
    if work.generator_capacity is not None:
        yield ""
        yield f"The generator by itself: {work.generator_capacity:,.0f} deliveries a second."
    for figures in work.figures:
        for note in dict.fromkeys(figures.notes):
            yield ""
            yield f"{_title(figures.peer)}: {note}"


def _plain_base(work: WorkFigures, results: Comparison) -> Figures | None:
    """Other formats are compared with the same work in the plain one: the base speaks no other."""
    plain, _ = split(work.work)
    other = next((some for some in results.works if some.work == plain), None)
    return other.of(BASE) if other is not None else None


def _row(figures: Figures, measures: list[Measure], base: Figures | None) -> list[str]:
    marks = ("†" if figures.limited_by_generator else "") + ("‡" if figures.faults else "")
    cells = [_title(figures.peer) + marks]
    for measure in measures:
        median = figures.median(measure.key)
        if median is None:
            cells += ["n/a", "", ""]
            continue
        values = figures.values[measure.key]
        reference = base.median(measure.key) if base is not None else None
        ratio = f"{median / reference:.2f}" if reference else ""
        cells += [
            amount(measure, median),
            f"{amount(measure, min(values))} - {amount(measure, max(values))}",
            ratio,
        ]
    shares = figures.generator_cpu_share
    cells.append(f"{sum(shares) / len(shares):.0%}" if shares else "")
    return cells


def _title(peer: str) -> str:
    return NULL.title if peer == NULL.name else PEERS[peer].title
