"""Token buckets: what goes at once, what waits, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.event import CloseReason
from chatroom.protocol.answers import Lines
from chatroom.protocol.jsonlines.render import JsonLines
from chatroom.protocol.people import Card
from chatroom.protocol.requests import (
    OPERATOR_KINDS,
    QUERY_KINDS,
    Answered,
    Draft,
    Ending,
    Enter,
    Hello,
    Introduce,
    Part,
    Refusal,
    Reply,
    Request,
    Sign,
    Speaks,
)
from chatroom.server.fairness.pace import QUERY, RENAME, TALK, Limits, Pace, sort_of
from chatroom.settings import ROOM_PER_SECOND, UNLIMITED, RateSettings

SAY = Request("message", "hello")


def test_everything_that_can_be_said_is_of_a_sort() -> None:
    talk: list[Draft] = [SAY, Request("action"), Request("topic"), Sign("+typing=active")]
    queries: list[Draft] = [Request(kind) for kind in QUERY_KINDS | OPERATOR_KINDS | {"ping"}]
    queries += [Refusal("", ""), Reply(b""), Answered(Lines(())), Hello()]
    names: list[Draft] = [Request("rename"), Introduce(Card()), Enter(""), Part("", "")]
    free: list[Draft] = [Request("quit"), Speaks(JsonLines()), Ending(CloseReason.QUIT, "")]
    assert {sort_of(draft) for draft in talk} == {TALK}
    assert {sort_of(draft) for draft in queries} == {QUERY}
    assert {sort_of(draft) for draft in names} == {RENAME}
    assert {sort_of(draft) for draft in free} == {None}


@given(
    per_second=st.floats(0.1, 1000),
    burst=st.integers(1, 300),
    pauses=st.lists(st.floats(0, 3), max_size=60),
)
def test_never_more_than_the_burst_and_what_has_come_since(
    per_second: float, burst: int, pauses: list[float]
) -> None:
    """Of any stretch of time, from whatever message on; and never less than that either."""
    limits = Limits(RateSettings(talk_per_second=per_second, talk_burst=burst))
    pace, now, taken = Pace(), 1000.0, []
    for pause in pauses:
        now += pause
        while limits.ready_at(pace, TALK) <= now:
            limits.take(pace, SAY, TALK, now)
            taken.append(now)
    for first in range(0, len(taken), max(1, len(taken) // 20)):
        count = len(taken) - first
        assert count <= burst + per_second * (taken[-1] - taken[first]) + 0.01
    # Where it has to wait, less than one more token is there.
    assert limits.ready_at(pace, TALK) <= now + 1 / per_second


def test_sorts_have_buckets_of_their_own() -> None:
    limits, pace = Limits(RateSettings(talk_burst=1)), Pace()
    limits.take(pace, SAY, TALK, 0.0)
    assert limits.ready_at(pace, TALK) == pytest.approx(1 / 50, abs=1e-3)
    assert limits.ready_at(pace, QUERY) <= 0
    for _ in range(5):
        assert limits.ready_at(pace, RENAME) <= 0
        limits.take(pace, Request("rename"), RENAME, 0.0)
    assert limits.ready_at(pace, RENAME) == pytest.approx(10, abs=0.02)


def test_a_reply_to_many_pings_counts_for_as_many() -> None:
    limits, pace = Limits(RateSettings()), Pace()
    limits.take(pace, Reply(b"", 250), QUERY, 0.0)
    assert limits.ready_at(pace, QUERY) == pytest.approx((250 - 199) / 50, abs=1e-3)


def test_who_is_trusted_never_waits() -> None:
    limits, pace = Limits(UNLIMITED), Pace()
    for sort in (TALK, QUERY, RENAME):
        for _ in range(10_000):
            limits.take(pace, SAY, sort, 0.0)
        assert limits.ready_at(pace, sort) <= 0


def test_without_a_talk_rate_there_is_no_ceiling_unless_it_is_asked_for() -> None:
    assert RateSettings().ceiling_per_second == ROOM_PER_SECOND
    assert UNLIMITED.ceiling_per_second == 0
    assert RateSettings(talk_per_second=0, room_per_second=70).ceiling_per_second == 70
    assert RateSettings(room_per_second=0).ceiling_per_second == 0
