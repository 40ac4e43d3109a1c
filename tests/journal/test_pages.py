"""Whatever is where, a page has every number once: as an event, or in a gap."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from chatroom.event import Gap
from chatroom.journal import Page
from chatroom.journal.pages import page_after, page_before
from tests.journal.talk import said

LAST = 40


def spelled_out(page: Page) -> dict[int, bool]:
    """Each number of the page, in its order, and whether it is an event."""
    told: dict[int, bool] = {}
    for item in page.events:
        if isinstance(item, Gap):
            told.update(dict.fromkeys(range(item.first, item.last + 1), False))
        else:
            told[item.seq] = True
    assert list(told) == sorted(told)
    return told


numbers = st.sets(st.integers(1, LAST))


@given(numbers, numbers, st.integers(0, LAST), st.integers(1, 12))
def test_after(disk: set[int], memory: set[int], seq: int, limit: int) -> None:
    sources = [[said(n) for n in sorted(part) if n > seq][: limit + 1] for part in (disk, memory)]
    page = page_after(seq, limit, sources, LAST)
    there = sorted(n for n in disk | memory if n > seq)
    assert page.more == (len(there) > limit)
    end = there[limit - 1] if page.more else LAST
    assert spelled_out(page) == {n: n in disk | memory for n in range(seq + 1, end + 1)}


@given(numbers, numbers, st.integers(1, LAST + 1), st.integers(1, 12), st.integers(1, LAST))
def test_before(disk: set[int], memory: set[int], seq: int, limit: int, first_kept: int) -> None:
    disk, memory = ({n for n in part if n >= first_kept} for part in (disk, memory))
    sources = [[said(n) for n in sorted(part) if n < seq][-limit - 1 :] for part in (disk, memory)]
    page = page_before(seq, limit, sources, first_kept)
    there = sorted(n for n in disk | memory if n < seq)
    assert page.more == (len(there) > limit)
    start = there[-limit] if page.more else first_kept
    assert spelled_out(page) == {n: n in disk | memory for n in range(start, seq)}


@example({1, 2, 3, 6, 7}, {1, 2, 3}, 0, 10, 5)
@given(numbers, numbers, st.integers(0, LAST), st.integers(1, 12), st.integers(0, LAST))
def test_after_while_the_room_talks(
    disk: set[int], memory: set[int], seq: int, limit: int, last: int
) -> None:
    """Memory was asked when `last` was the newest; the disk, asked later, may have newer ones."""
    memory = {n for n in memory if n <= last}
    sources = [[said(n) for n in sorted(part) if n > seq][: limit + 1] for part in (disk, memory)]
    page = page_after(seq, limit, sources, last)
    told = spelled_out(page)
    end = max([last, *told]) if not page.more else max(told)
    assert told == {n: n in disk | memory for n in range(seq + 1, end + 1)}


@example({3, 5}, set(), 6, 10, 4)
@given(numbers, numbers, st.integers(1, LAST + 1), st.integers(1, 12), st.integers(1, LAST))
def test_before_while_old_events_go(
    disk: set[int], memory: set[int], seq: int, limit: int, first_kept: int
) -> None:
    """The disk may have events below `first_kept` still, or again."""
    sources = [[said(n) for n in sorted(part) if n < seq][-limit - 1 :] for part in (disk, memory)]
    page = page_before(seq, limit, sources, first_kept)
    told = spelled_out(page)
    start = min([first_kept, *told]) if not page.more else min(told)
    assert told == {n: n in disk | memory for n in range(start, seq)}
