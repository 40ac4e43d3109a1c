"""Which numbers of a stream are missing, and how far the asking for each stretch has come."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from operator import attrgetter

_FIRST = attrgetter("first")


@dataclass(slots=True)
class Stretch:
    """Numbers that exist and have not come: `first` up to, not including, `end`."""

    first: int
    end: int
    noticed: float  #: when it became known that they exist
    due: float  #: when to ask (again)
    tries: int = 0  #: questions since the last answer
    asked: float = inf  #: when the first of those questions went out
    effort_from: float = inf  #: the same, or later if an answer since has given new hope
    searched: int | None = None
    """While the server's oldest number is looked for: the highest number asked for in vain. What
    a server has dropped it never answers for, and what it keeps is always the newest: so silence
    about one number is silence about all below it."""
    given_up: bool = False

    def ask_anew(self, due: float) -> None:
        """As if it had not been asked for: there is new hope."""
        self.due, self.tries, self.effort_from, self.searched = due, 0, inf, None


class Missing:
    """Disjoint stretches in rising order. Memory: one entry for each hole."""

    def __init__(self) -> None:
        self._stretches: list[Stretch] = []

    def __bool__(self) -> bool:
        return bool(self._stretches)

    def __len__(self) -> int:
        return len(self._stretches)

    def __getitem__(self, index: int) -> Stretch:
        return self._stretches[index]

    def __iter__(self) -> Iterator[Stretch]:
        return iter(self._stretches)

    def append(self, stretch: Stretch) -> None:
        """Add a stretch above all others; it joins the last one if that was not yet asked for."""
        if self._stretches:
            last = self._stretches[-1]
            if last.end == stretch.first and last.tries == 0 and last.searched is None:
                last.end, last.noticed = stretch.end, stretch.noticed
                return
        self._stretches.append(stretch)

    def found(self, sequence: int) -> Stretch | None:
        """The stretch that `sequence` belongs to; None if it is not missing."""
        index = self._index(sequence)
        return None if index is None else self._stretches[index]

    def _index(self, sequence: int) -> int | None:
        index = bisect_right(self._stretches, sequence, key=_FIRST) - 1
        if index < 0 or sequence >= self._stretches[index].end:
            return None
        return index

    def remove(self, sequence: int) -> tuple[Stretch | None, Stretch | None]:
        """`sequence`, which was missing, is here: what is left of its stretch below and above."""
        index = self._index(sequence)
        if index is None:
            return None, None
        stretch = self._stretches[index]
        if stretch.first == sequence:
            stretch.first += 1
            if stretch.first == stretch.end:
                del self._stretches[index]
                return None, None
            return None, stretch
        if stretch.end == sequence + 1:
            stretch.end = sequence
            return stretch, None
        above = replace(stretch, first=sequence + 1)
        stretch.end = sequence
        self._stretches.insert(index + 1, above)
        return stretch, above

    def split(self, index: int, numbers: int) -> None:
        """Cut the stretch at `index` after its first `numbers`, if it is longer."""
        stretch = self._stretches[index]
        cut = stretch.first + numbers
        if cut < stretch.end:
            rest = replace(stretch, first=cut, tries=0, effort_from=inf)
            self._stretches.insert(index + 1, rest)
            stretch.end = cut

    def cut(self, sequence: int) -> tuple[Stretch | None, Stretch]:
        """Have a stretch begin at `sequence`, which is missing: what is below it, and that one.

        Raises `KeyError` if it is not missing.
        """
        index = self._index(sequence)
        if index is None:
            raise KeyError(sequence)
        stretch = self._stretches[index]
        if stretch.first == sequence:
            return None, stretch
        self.split(index, sequence - stretch.first)
        return stretch, self._stretches[index + 1]

    def join(self, index: int) -> None:
        """Make one stretch of that at `index` and those that follow it without a hole."""
        stretch = self._stretches[index]
        stop = index + 1
        while stop < len(self._stretches) and self._stretches[stop].first == stretch.end:
            stretch.end = self._stretches[stop].end
            stretch.noticed = self._stretches[stop].noticed
            stop += 1
        del self._stretches[index + 1 : stop]

    def after(self, sequence: int, limit: int) -> list[Stretch]:
        """The first `limit` stretches that begin above `sequence`."""
        start = bisect_right(self._stretches, sequence, key=_FIRST)
        return self._stretches[start : start + limit]

    def pop_first(self) -> Stretch:
        """Take the lowest stretch off."""
        return self._stretches.pop(0)

    def truncate(self, end: int) -> None:
        """Forget all numbers from `end` on."""
        while self._stretches and self._stretches[-1].first >= end:
            self._stretches.pop()
        if self._stretches:
            last = self._stretches[-1]
            last.end = min(last.end, end)
