"""Figures beside the bars that they have to reach, as a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Row(NamedTuple):
    """A figure beside its bar."""

    name: str
    figure: str
    bar: str
    reached: bool


def table(rows: Iterable[Row]) -> Iterator[str]:
    """The lines of a table, each as soon as its row is there."""
    yield "| what | measured | bar | reached |"
    yield "|---|---|---|---|"
    for row in rows:
        yield f"| {row.name} | {row.figure} | {row.bar} | {'yes' if row.reached else 'no'} |"
