"""Which requests are answered; and that no flood of them makes the server send more than it may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatroom.feed import buckets as buckets_module
from chatroom.feed.answering import EACH_SOURCE, FROM_JOURNAL, IN_ALL, Answering, Fate
from chatroom.feed.buckets import Bucket, Rate, SourceBuckets
from chatroom.feed.proof import ADDRESSES, Proof
from chatroom.feed.seal import Sealer
from chatroom.feed.store import BlockStore
from chatroom.protocol import moldudp64 as mold

SESSION = b"K3F9A2QZ01"


def answering(messages: int = 100, keep: int = 50) -> Answering:
    store = BlockStore(keep, 1 << 20, next_sequence=1)
    store.extend(1, [mold.block(b"%036d" % n) for n in range(1, messages + 1)])
    return Answering(SESSION, store, 200, now=0.0)


def test_an_answer_has_as_many_as_fit_one_datagram_and_are_wanted() -> None:
    desk = answering()

    answer = desk.answer(mold.request(SESSION, 60, 100), "a", 0.0)
    assert isinstance(answer, bytes)
    packet = mold.decode_packet(answer)
    assert (packet.session, packet.sequence) == (SESSION, 60)
    assert packet.messages == [b"%036d" % n for n in range(60, 64)]
    assert len(answer) <= 200
    answer = desk.answer(mold.request(SESSION, 99, 2), "a", 0.0)
    assert isinstance(answer, bytes)
    assert len(mold.decode_packet(answer).messages) == 2
    assert desk.fates == {Fate.ANSWERED: 2}


def test_what_has_no_answer_gets_silence_and_is_counted() -> None:
    desk = answering()
    for datagram in (
        b"short",
        mold.request(SESSION, 60, 0),
        mold.request(SESSION, 0, 1),
        mold.request(b"ANOTHER000", 60, 1),
        mold.request(SESSION, 101, 1),
        mold.request(SESSION, 2**64 - 1, 0xFFFF),
    ):
        assert desk.answer(datagram, "a", 0.0) is None

    assert desk.fates == {Fate.MALFORMED: 3, Fate.WRONG_SESSION: 1, Fate.NOT_YET: 2}


def test_what_is_older_than_the_store_is_for_the_journal_which_is_asked_less_often() -> None:
    desk = answering()
    request = mold.request(SESSION, 7, 3)

    answers = [desk.answer(request, "a", 0.0) for _ in range(int(FROM_JOURNAL.burst) + 5)]

    assert answers[0] == (SESSION, 7, 3)
    assert sum(answer is not None for answer in answers) == FROM_JOURNAL.burst
    assert desk.fates == {Fate.TOO_MANY: 5}


@pytest.mark.parametrize("first", [1, 7, 49, 50])
def test_the_journal_is_asked_for_no_more_than_an_answer_can_bring(first: int) -> None:
    desk = answering()

    request = desk.answer(mold.request(SESSION, first, 0xFFFF), "a", 0.0)

    assert request == (SESSION, first, 200 // 32)


@given(
    st.lists(
        st.binary(max_size=25)
        | st.builds(
            mold.request, st.just(SESSION), st.integers(0, 2**64 - 1), st.integers(0, 0xFFFF)
        )
    )
)
def test_whatever_is_asked_the_answer_is_a_datagram_of_allowed_size_or_none(
    datagrams: list[bytes],
) -> None:
    desk = answering()
    for datagram in datagrams:
        answer = desk.answer(datagram, "a", 0.0)
        if isinstance(answer, bytes):
            assert len(answer) <= 200
            assert mold.decode_packet(answer).messages


def test_a_flood_from_one_source_gets_its_burst_and_its_rate_and_others_are_served() -> None:
    desk = answering()
    request = mold.request(SESSION, 60, 9)

    seconds, a_second = 2, 10_000
    answered = sum(
        desk.answer(request, "forged", step / a_second) is not None
        for step in range(seconds * a_second)
    )

    assert answered <= EACH_SOURCE.burst + seconds * EACH_SOURCE.per_second
    assert answered >= 0.99 * (EACH_SOURCE.burst + seconds * EACH_SOURCE.per_second) - 2
    assert desk.answer(request, "honest", seconds) is not None


def test_a_flood_from_many_sources_gets_no_more_than_the_rate_for_all() -> None:
    desk = answering()
    request = mold.request(SESSION, 60, 9)

    answered = sum(
        desk.answer(request, str(step), step / 20_000) is not None for step in range(40_000)
    )

    assert answered <= IN_ALL.burst + 2 * IN_ALL.per_second


def test_the_table_of_sources_is_bounded_and_forgets_the_one_unused_for_longest() -> None:
    buckets = SourceBuckets(Rate(1, 1), Rate(1e9, 1e9), 0.0)
    for number in range(buckets_module.SOURCES + 10):
        assert buckets.take("steady", 0.0) == (number == 0)
        buckets.take(str(number), 0.0)

    assert len(buckets) == buckets_module.SOURCES


@given(st.lists(st.floats(0, 3), max_size=60), st.floats(0.1, 50), st.integers(1, 20))
def test_a_bucket_never_gives_more_than_its_burst_and_its_rate(
    pauses: list[float], per_second: float, burst: int
) -> None:
    bucket = Bucket(Rate(per_second, burst), 0.0)
    now, taken = 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)

    assert taken <= burst + now * per_second + 1e-6


def test_many_that_ask_for_much_starve_nobody_who_asks_for_little() -> None:
    desk = answering()
    request = mold.request(SESSION, 60, 1)
    asked = answered = 0
    for step in range(200_000):  # 20,000 a second, from 64 sources
        now = step / 20_000
        desk.answer(request, f"greedy {step % 64}", now)
        if step % 400 == 0:  # 50 a second
            asked += 1
            answered += desk.answer(request, "honest", now) is not None
    assert answered == asked


def test_an_address_that_has_shown_nothing_gets_a_few_times_what_it_sends() -> None:
    store = BlockStore(50, 1 << 20, next_sequence=1)
    store.extend(1, [mold.block(b"%0150d" % n) for n in range(1, 51)])
    proof = Proof()
    desk = Answering(SESSION, store, 1452, 0.0, proof=proof)
    request = mold.request(SESSION, 1, 50)
    sent = 0
    for number in range(100):
        answer = desk.answer(request, "192.0.2.1", number / 100)
        if answer is not None:
            assert isinstance(answer, bytes)
            sent += len(answer) + 28
            assert mold.decode_packet(answer).sequence == 1
    assert 100 * 48 < sent <= 5 * 100 * 48
    proof.show("192.0.2.1", 1.0)
    whole = desk.answer(request, "192.0.2.1", 1.0)
    assert isinstance(whole, bytes)
    assert len(whole) > 1200


def test_of_a_sealed_feed_it_gets_nothing() -> None:
    store = BlockStore(50, 1 << 20, next_sequence=1)
    store.extend(1, [mold.block(b"x")])
    proof = Proof()
    desk = Answering(SESSION, store, 1452, 0.0, Sealer(SESSION), proof)
    request = mold.request(SESSION, 1, 1)
    assert all(desk.answer(request, "192.0.2.1", 0.0) is None for _ in range(20))
    assert desk.fates == {Fate.NOT_SHOWN: 20}
    proof.show("192.0.2.1", 0.0)
    assert desk.answer(request, "192.0.2.1", 3599.0) is not None
    assert desk.answer(request, "192.0.2.1", 3601.0) is None


def test_what_is_remembered_of_addresses_is_bounded() -> None:
    proof = Proof()
    for number in range(ADDRESSES + 100):
        proof.show(f"10.0.{number // 256}.{number % 256}", 0.0)
        proof.earn(f"10.1.{number // 256}.{number % 256}", 20)
    assert len(proof._until) == len(proof._credit) == ADDRESSES
    assert not proof.has_shown("10.0.0.0", 0.0)
    assert proof.has_shown("127.0.0.9", 0.0)
    assert proof.has_shown("::1", 0.0)
