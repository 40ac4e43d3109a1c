from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatroom.journal.ranges import Ranges

number = st.integers(1, 60)


@given(st.lists(st.tuples(number, st.integers(0, 8))), number, number, number)
def test_ranges_are_a_set_of_numbers(
    added: list[tuple[int, int]], first_kept: int, low: int, high: int
) -> None:
    ranges, expected = Ranges(), set[int]()
    for first, more in added:
        ranges.add(first, first + more)
        expected |= {*range(first, first + more + 1)}
    assert {n for first, last in ranges for n in range(first, last + 1)} == expected
    bounds = [bound for both in ranges for bound in both]
    assert bounds == sorted(bounds)
    assert all(b - a > 1 for (_, a), (b, _) in zip(list(ranges), list(ranges)[1:], strict=False))
    assert ranges.count(low, high) == len(expected & {*range(low, high + 1)})
    ranges.drop_below(first_kept)
    kept = {n for first, last in ranges for n in range(first, last + 1)}
    assert kept == {n for n in expected if n >= first_kept}


def test_an_empty_range_adds_nothing() -> None:
    ranges = Ranges()
    ranges.add(5, 4)
    assert list(ranges) == []
