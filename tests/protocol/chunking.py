"""Bytes as a network may cut them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in chunks, cut at the places (which wrap around its length); none is empty."""
    at = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(at)]


#: Where to cut: often nowhere, often everywhere.
places = st.lists(st.integers(min_value=0, max_value=1 << 20), max_size=60)
