from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatroom.feed.store import BlockStore


@given(
    st.integers(0, 20),
    st.integers(0, 100),
    st.lists(st.lists(st.binary(max_size=12), min_size=1, max_size=9), max_size=12),
    st.data(),
)
def test_the_newest_are_kept_within_both_bounds(
    keep: int, keep_bytes: int, batches: list[list[bytes]], data: st.DataObject
) -> None:
    store = BlockStore(keep, keep_bytes, next_sequence=5)
    sent: list[bytes] = []
    for batch in batches:
        store.extend(5 + len(sent), batch)
        sent += batch

    first = store.first_sequence - 5
    kept = sent[first:]
    assert len(kept) <= keep
    assert sum(map(len, kept)) <= keep_bytes
    if first:  # one more would have been too much
        assert len(kept) == keep or sum(map(len, sent[first - 1 :])) > keep_bytes
    asked = data.draw(st.integers(0, 5 + len(sent) + 3))
    limit = data.draw(st.integers(1, 30))
    expected = sent[asked - 5 : asked - 5 + limit] if asked - 5 >= first else []
    assert store.get(asked, limit) == expected
    assert store.next_sequence == 5 + len(sent)


def test_what_is_cleared_is_not_kept_though_the_numbers_go_on() -> None:
    store = BlockStore(10, 100, next_sequence=1)
    store.extend(1, [b"a", b"b"])
    store.clear(3)
    assert (store.first_sequence, store.next_sequence, store.get(1, 9)) == (3, 3, [])
    store.extend(3, [b"c"])
    assert store.get(3, 9) == [b"c"]


def test_nothing_from_before_a_jump_in_the_numbers_is_kept() -> None:
    store = BlockStore(10, 100, next_sequence=1)
    store.extend(1, [b"a", b"b"])
    store.extend(7, [b"g"])

    assert (store.first_sequence, store.get(7, 9), store.get(1, 9)) == (7, [b"g"], [])
