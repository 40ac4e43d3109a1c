"""The promise of a listener: all that was sent, once, in order, or a range said to be lost."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatroom.feed import stream as stream_module
from chatroom.feed.asking import SMALLEST_WINDOW
from chatroom.feed.reassembly import Reassembly, SessionBegan, SessionEnded
from chatroom.feed.statistics import ListenerStatistics
from chatroom.feed.stream import Delivered, Lost, Stream
from chatroom.protocol import moldudp64 as mold
from tests.feed.simulation import SESSION, Network, Simulation, message

NETWORKS = st.builds(
    Network,
    loss=st.floats(0, 0.2),
    duplication=st.floats(0, 0.3),
    longest_delay_seconds=st.floats(0, 0.02),
)
PERFECT = Network()


def simulate(network: Network, seed: int = 1, start: int | None = 1) -> Simulation:
    return Simulation(network, Reassembly(start, Random(seed)), Random(seed + 1))


def packet(sequence: int, messages: int, session: bytes = SESSION) -> bytes:
    blocks = [mold.block(message(sequence + i)) for i in range(messages)]
    return next(mold.packets(session, sequence, blocks, 1452))


@given(
    NETWORKS,
    st.lists(st.tuples(st.integers(1, 40), st.floats(0, 0.1)), min_size=1, max_size=40),
    st.integers(0, 2**32),
)
@settings(deadline=None)
def test_everything_arrives_once_in_order(
    network: Network, batches: list[tuple[int, float]], seed: int
) -> None:
    simulation = simulate(network, seed)
    for size, pause in batches:
        simulation.send(size)
        simulation.run(simulation.now + pause)
    simulation.run(simulation.now + 10)

    assert simulation.check(1, simulation.sent) == []


@given(NETWORKS, st.integers(1, 60), st.integers(0, 2**32))
@settings(deadline=None)
def test_what_the_server_no_longer_keeps_is_lost_and_the_rest_arrives(
    network: Network, keep: int, seed: int
) -> None:
    simulation = simulate(network, seed)
    simulation.keep = keep
    for _ in range(100):
        simulation.send(3)
        simulation.run(simulation.now + 0.001)
    simulation.run(simulation.now + 20)

    lost = simulation.check(1, 300)
    assert sum(last - first + 1 for first, last in lost) <= 300 - keep


@given(st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_a_listener_without_a_request_server_still_gets_order_and_the_truth(seed: int) -> None:
    simulation = simulate(Network(loss=0.1), seed)
    simulation.keep = 0
    for _ in range(200):
        simulation.send(1)
        simulation.run(simulation.now + 0.01)
    simulation.run(simulation.now + 20)

    lost = simulation.check(1, 200)
    assert simulation.listener.statistics.lost == sum(b - a + 1 for a, b in lost)


@given(st.lists(st.binary(max_size=60) | st.builds(packet, st.integers(1, 90), st.integers(1, 9))))
def test_no_datagram_raises_and_nothing_is_delivered_twice_or_out_of_order(
    datagrams: list[bytes],
) -> None:
    listener = Reassembly(1, Random(1))
    expected = 1
    for step, datagram in enumerate(datagrams):
        listener.receive(datagram, step / 10)
        listener.receive_answer(datagram, step / 10)
        listener.poll(step / 10)
        for outcome in listener.take_outcomes():
            if isinstance(outcome, Delivered):
                assert outcome == (expected, message(expected))
                expected += 1
            elif isinstance(outcome, Lost):
                assert outcome.first == expected
                expected = outcome.last + 1


def test_a_gap_is_noticed_asked_for_after_the_grace_and_filled() -> None:
    listener = Reassembly(1, Random(1))
    listener.receive(packet(1, 1), 0.0)
    listener.receive(packet(4, 1), 1.0)

    assert 1.001 <= listener.deadline <= 1.006
    assert listener.poll(1.0005) == []
    assert [one.packet for one in listener.poll(listener.deadline)] == [mold.request(SESSION, 2, 2)]
    listener.receive_answer(packet(2, 2), 1.01)

    assert [o for o in listener.take_outcomes() if isinstance(o, Delivered)] == [
        (number, message(number)) for number in (1, 2, 3, 4)
    ]
    assert listener.statistics.repaired == 2
    assert listener.poll(9.0) == []


def test_what_only_came_late_is_not_asked_for() -> None:
    listener = Reassembly(1, Random(1))
    for sequence in (1, 3, 2):
        listener.receive(packet(sequence, 1), 0.0)

    assert listener.poll(5.0) == []
    assert (listener.statistics.reordered, listener.statistics.repaired) == (1, 0)


def test_questions_back_off_and_end_after_about_two_seconds() -> None:
    listener = Reassembly(1, Random(1))
    listener.receive(packet(1, 1), 0.0)
    listener.receive(packet(3, 1), 0.0)
    times = []
    while (now := listener.deadline) < 100:
        times += [now] * len(listener.poll(now))

    waits = [later - earlier for earlier, later in pairwise(times)]
    assert all(later > earlier for earlier, later in pairwise(waits[:6]))
    assert max(waits) <= 0.5
    assert 1.5 <= times[-1] <= 2.1
    assert len(times) <= 12
    assert listener.take_outcomes()[1:] == [(1, message(1)), Lost(2, 2), (3, message(3))]


def test_a_large_gap_is_fetched_in_windows() -> None:
    simulation = simulate(PERFECT)
    simulation.sent = 20_000
    simulation.send(1)
    simulation.run(0.00025)

    assert len(simulation.questions) == SMALLEST_WINDOW
    simulation.run(60)
    assert simulation.check(1, 20_001) == []
    # Each answer held 9 or 10 messages; hardly any was asked for twice.
    assert len(simulation.questions) < 20_001 / 9 * 1.05


@pytest.mark.parametrize("kept", [0, 1, 500])
def test_the_oldest_number_kept_is_found_quickly(kept: int) -> None:
    simulation = simulate(PERFECT)
    simulation.sent = 50_000_000
    simulation.keep = kept
    simulation.run(0.1)
    simulation._beat(0, 1)
    simulation.run(12)

    lost = simulation.check(1, 50_000_000)
    assert sum(last - first + 1 for first, last in lost) == 50_000_000 - kept
    assert len(simulation.questions) < 300


@pytest.mark.parametrize("repeats", [1, 100])
def test_a_forged_heartbeat_with_a_huge_number_is_harmless(repeats: int) -> None:
    simulation = simulate(PERFECT)
    for step in range(100):
        simulation.send(1)
        if 10 <= step < 10 + repeats:
            simulation.listener.receive(mold.heartbeat(SESSION, 2**63), simulation.now)
        simulation.run(simulation.now + 0.05)
    simulation.run(simulation.now + 20)

    assert simulation.check(1, 100) == []
    assert len(simulation.questions) < 600
    stream = simulation.listener._stream
    assert stream is not None
    assert (stream.end, stream.holes, stream.buffered) == (101, 0, (0, 0))


def test_a_late_duplicate_contradicts_nothing_that_has_come() -> None:
    listener = Reassembly(1, Random(1))
    for number in (1, 2, 3, 5, 6, 7):
        listener.receive(packet(number, 1), 0.0)
    listener.take_outcomes()
    assert listener.poll(0.05)
    listener.receive(packet(2, 1), 0.16)
    assert listener.poll(0.3)
    listener.receive_answer(packet(4, 1), 0.31)
    assert [one.sequence for one in listener.take_outcomes()] == [4, 5, 6, 7]  # type: ignore[union-attr]


def test_a_forged_heartbeat_in_silence_makes_no_loss() -> None:
    listener = Reassembly(None, Random(1))
    listener.receive(packet(1, 1), 0.0)
    listener.receive(mold.heartbeat(SESSION, 2**63), 0.1)
    questions = 0
    while (now := listener.deadline) < 1000:
        questions += len(listener.poll(now))
    listener.receive(packet(2, 1), now=2000)

    assert questions < 300
    assert listener.take_outcomes() == [
        SessionBegan("SIMULATED0", 1),
        (1, message(1)),
        (2, message(2)),
    ]


def test_a_forged_heartbeat_heard_first_does_not_decide_where_to_begin() -> None:
    listener = Reassembly(None, Random(1))
    listener.receive(mold.heartbeat(SESSION, 2**63), 0.0)
    listener.receive(packet(7, 1), 0.1)

    assert listener.take_outcomes()[1:] == [(7, message(7))]


def test_what_waits_for_its_turn_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "BUFFER_MESSAGES", 50)
    monkeypatch.setattr(stream_module, "BUFFER_BYTES", 500)
    simulation = simulate(PERFECT)
    simulation.send(1)
    simulation.run(0.1)
    simulation.network.loss = 1.0
    simulation.send(1)
    simulation.run(simulation.now + 0.001)
    simulation.network.loss = 0.0
    listener = simulation.listener
    for _ in range(300):
        simulation.sent += 1
        listener.receive(packet(simulation.sent, 1), simulation.now)
        assert listener._stream is not None
        assert listener._stream.buffered[1] <= 500
        assert listener._stream.holes <= 3
    simulation.run(simulation.now + 10)

    assert simulation.check(1, 302) == []


def test_the_end_of_a_session_and_a_new_one() -> None:
    simulation = simulate(PERFECT)
    simulation.send(3)
    simulation.run(0.1)
    listener = simulation.listener
    for _ in range(3):
        listener.receive(mold.end_of_session(SESSION, 4), 0.2)
    listener.receive(packet(1, 2, b"ANOTHER000"), 0.3)
    outcomes = simulation.outcomes + listener.take_outcomes()

    assert outcomes == [
        SessionBegan("SIMULATED0", 1),
        (1, message(1)),
        (2, message(2)),
        (3, message(3)),
        SessionEnded("SIMULATED0", 4),
        SessionBegan("ANOTHER000", 1),
        (1, message(1)),
        (2, message(2)),
    ]


def test_a_tail_lost_at_the_end_of_a_session_is_told() -> None:
    simulation = simulate(PERFECT)
    simulation.send(3)
    simulation.run(0.05)
    simulation.keep = 0
    simulation._batch += 1  # no heartbeats any more
    for repeat in range(5):
        simulation.at(
            0.06 + 0.1 * repeat, lambda: simulation.to_group(mold.end_of_session(SESSION, 6))
        )
    simulation.run(5)

    assert simulation.check(1, 5) == [Lost(4, 5)]
    assert simulation.outcomes[-1] == SessionEnded("SIMULATED0", 6)


def test_a_restart_without_a_farewell_is_noticed_and_nothing_since_is_missed() -> None:
    listener = Reassembly(None, Random(1))
    listener.receive(packet(5, 3), 0.0)
    listener.take_outcomes()
    new = b"ANOTHER000"
    for step in range(1, 30):
        listener.receive(packet(step, 1, new), step / 10)

    outcomes = listener.take_outcomes()
    assert outcomes == [SessionBegan("ANOTHER000", 1)]
    assert [one.packet for one in listener.poll(2.91)] == [mold.request(new, 1, 24)]
    listener.receive_answer(packet(1, 24, new), 2.95)
    assert [o.sequence for o in listener.take_outcomes() if isinstance(o, Delivered)] == [
        *range(1, 30)
    ]


def test_a_stranger_in_the_same_group_is_ignored() -> None:
    listener = Reassembly(None, Random(1))
    for step in range(1, 100):
        listener.receive(packet(step, 1), step / 10)
        listener.receive(packet(step + 1000, 1, b"STRANGER00"), step / 10 + 0.05)

    outcomes = listener.take_outcomes()[1:]
    assert outcomes == [(number, message(number)) for number in range(1, 100)]
    assert listener.statistics.ignored == 99


NEXT = b"ANOTHER000"


def ended(expected: int = 4) -> Reassembly:
    """A listener that has heard everything of a session, and its end; it is 0.3."""
    listener = Reassembly(1, Random(1))
    listener.receive(packet(1, expected - 1), 0.0)
    listener.receive(mold.end_of_session(SESSION, expected), 0.3)
    assert listener.take_outcomes()[-1] == SessionEnded("SIMULATED0", expected)
    return listener


LATE = [
    packet(1, 1),
    packet(2, 2),
    packet(3, 1),
    mold.heartbeat(SESSION, 3),
    mold.heartbeat(SESSION, 4),
    mold.end_of_session(SESSION, 3),
    mold.end_of_session(SESSION, 4),
]


@given(st.lists(st.sampled_from(LATE), max_size=8))
def test_what_comes_late_after_the_end_changes_nothing(late: list[bytes]) -> None:
    listener = ended()
    for step, datagram in enumerate(late):
        listener.receive(datagram, 0.31 + step / 100)
    assert listener.take_outcomes() == []

    listener.receive(packet(1, 1, NEXT), 0.4)

    assert listener.take_outcomes() == [SessionBegan("ANOTHER000", 1), (1, message(1))]


@settings(max_examples=400)
@given(st.permutations([packet(1, 1), packet(2, 1), packet(3, 1)] * 2 + LATE[-1:] * 3))
def test_an_end_that_overtakes_what_came_before_it_is_told_once(datagrams: list[bytes]) -> None:
    listener = Reassembly(1, Random(1))
    outcomes: list[object] = []
    for step, datagram in enumerate([mold.heartbeat(SESSION, 1), *datagrams]):
        listener.receive(datagram, step / 1000)
        outcomes += listener.take_outcomes()

    assert outcomes == [
        SessionBegan("SIMULATED0", 1),
        *[(number, message(number)) for number in (1, 2, 3)],
        SessionEnded("SIMULATED0", 4),
    ]


def test_a_session_that_goes_on_after_its_end_is_followed_on_and_its_later_end_told() -> None:
    """A clean restart with a journal on disk goes on with the same session."""
    listener = ended()
    listener.receive(packet(4, 2), 0.5)
    listener.receive(mold.end_of_session(SESSION, 4), 0.6)  # the old one, late
    listener.receive(packet(1, 1, NEXT), 0.7)  # a stranger now
    listener.receive(mold.end_of_session(SESSION, 6), 0.8)

    assert listener.take_outcomes() == [
        (4, message(4)),
        (5, message(5)),
        SessionEnded("SIMULATED0", 6),
    ]


def test_of_a_session_begun_anew_all_is_wanted_from_its_first_number_on() -> None:
    listener = Reassembly(None, Random(1))
    listener.receive(packet(50, 1), 0.0)
    listener.receive(packet(3, 1, NEXT), 3.0)

    assert listener.take_outcomes()[-1] == SessionBegan("ANOTHER000", 1)
    assert [one.packet for one in listener.poll(3.1)] == [mold.request(NEXT, 1, 2)]


@pytest.mark.parametrize("numbers", [(102, 101, 103), (101, 102, 103), (103, 102, 101)])
def test_a_session_above_the_old_one_begins_at_the_lowest_number_heard(
    numbers: tuple[int, ...],
) -> None:
    listener = Reassembly(None, Random(1))
    listener.receive(packet(50, 1), 0.0)
    listener.take_outcomes()
    for step, number in enumerate(numbers):
        listener.receive(packet(number, 1, NEXT), 2.0 + step / 3)

    assert listener.take_outcomes()[0] == SessionBegan("ANOTHER000", 101)


def test_where_a_stranger_stood_is_forgotten_when_the_followed_session_speaks() -> None:
    listener = Reassembly(None, Random(1))
    listener.receive(packet(50, 1), 0.0)
    listener.receive(packet(60, 1, NEXT), 1.0)
    listener.receive(packet(51, 1), 2.0)
    listener.take_outcomes()
    listener.receive(packet(80, 1, NEXT), 5.0)

    assert listener.take_outcomes() == [SessionBegan("ANOTHER000", 80), (80, message(80))]


def test_an_answer_tells_of_no_number_that_the_group_has_not() -> None:
    """Anybody may answer: what nobody has heard of in the group is not taken from there."""
    stream = Stream(1, ListenerStatistics())
    stream.take_answer(1, [message(1)], 0.0)
    stream.take_group(3, [message(3)], 0.0)
    stream.take_answer(1, [message(number) for number in range(1, 6)], 0.0)
    assert stream.outcomes == [Delivered(number, message(number)) for number in (1, 2, 3)]
