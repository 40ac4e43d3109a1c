"""Bytes leave in the order in which they came, and no line is torn by a last one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatroom.protocol.format import end_of_line
from chatroom.transport.backlog import Backlog

lines = st.lists(st.sampled_from([b"\n", b"a\n", b"hello\n", b"x" * 50 + b"\n"]), min_size=1).map(
    b"".join
)
#: What is added, and how much of what is offered the kernel takes after that.
moves = st.lists(st.tuples(lines, st.lists(st.floats(0, 1), max_size=4)), min_size=1, max_size=30)


def _offered(backlog: Backlog) -> bytes:
    return b"".join(bytes(buffer) for buffer in backlog.head())


@given(st.integers(0, 40), moves, lines)
def test_what_leaves_is_what_came(
    start: int, history: list[tuple[bytes, list[float]]], last: bytes
) -> None:
    backlog = Backlog()
    came = left = b""
    for index, (chunk, shares) in enumerate(history):
        offset = start % len(chunk) if index == 0 else 0
        backlog.add(chunk, offset)
        came += chunk
        left += chunk[:offset]
        for share in shares:
            head = _offered(backlog)
            assert came[len(left) :].startswith(head)
            assert bool(head) == (backlog.size_bytes > 0)
            taken = head[: round(share * len(head))]
            backlog.take(len(taken))
            left += taken
            assert backlog.size_bytes == len(came) - len(left)
            if not backlog.size_bytes:
                break
    assert backlog.taken_bytes == len(left) - (start % len(history[0][0]))
    backlog.cut_to(last, end_of_line)
    rest = _offered(backlog)
    line_end = came.find(b"\n", len(left)) + 1
    begun = bool(left) and not left.endswith(b"\n")
    assert rest == (came[len(left) : line_end] if begun else b"") + last
    assert backlog.size_bytes == len(rest)
    backlog.take(len(rest))
    assert backlog.size_bytes == 0
    assert backlog.head() == []


def test_many_chunks_are_offered_some_at_a_time() -> None:
    backlog = Backlog()
    for number in range(1000):
        backlog.add(b"%d\n" % number)
    left = b""
    while backlog.size_bytes:
        head = _offered(backlog)
        assert len(backlog.head()) <= 64
        backlog.take(len(head))
        left += head
    assert left == b"".join(b"%d\n" % number for number in range(1000))
