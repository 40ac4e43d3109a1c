"""The soak's audit: what must not be is noticed, and what may be is not."""

from __future__ import annotations

from pathlib import Path
from time import monotonic_ns

import pytest
import trio.testing

from chatroom.feed.reassembly import SessionBegan
from chatroom.feed.stream import Delivered
from chatroom.swarm.wire.payload import SMALLEST_TEXT_BYTES, Mark, Payload
from loadtest.soak.crowd import Crowd
from loadtest.soak.ears import NumberedEars, TextEars
from loadtest.soak.ledger import Ledger
from loadtest.soak.obstacles import Obstacles
from loadtest.soak.places import NumberedPlace, TextPlace
from loadtest.soak.server import Place, Server


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(Payload("4f2a", SMALLEST_TEXT_BYTES))


def text_of(ledger: Ledger, number: int, talker: int = 1) -> bytes:
    return ledger.payload.write(Mark(talker, number, 0))


def line_of(seq: int, text: bytes) -> bytes:
    return b'{"seq":%d,"text":"%b"}' % (seq, text)


def take(place: NumberedPlace, ledger: Ledger, seq: int, *, talker: int = 1) -> None:
    text = text_of(ledger, seq, talker)
    place.take(seq, line_of(seq, text), text)


def place_of(ledger: Ledger, own: int | None = None) -> NumberedPlace:
    place = NumberedPlace(ledger, "reader", own)
    place.enter("SESSION", 0)
    return place


@pytest.mark.parametrize(
    ("numbers", "faults"),
    [
        ([1, 2, 3], {}),
        ([1, 4], {"lost": 2}),
        ([1, 2, 2, 3], {"doubled": 1}),
        ([1, 3, 2], {"lost": 1, "doubled": 1}),
    ],
)
def test_every_number_once_and_in_order(
    ledger: Ledger, numbers: list[int], faults: dict[str, int]
) -> None:
    place = place_of(ledger)
    for seq in numbers:
        take(place, ledger, seq)
    assert ledger.faults.counts == faults


def test_a_gap_that_is_said_is_no_loss(ledger: Ledger) -> None:
    place = place_of(ledger)
    take(place, ledger, 1)
    place.skip(2, 9)
    take(place, ledger, 10)
    assert not ledger.faults.counts


def test_a_gap_that_begins_too_late_is_a_loss(ledger: Ledger) -> None:
    place = place_of(ledger)
    place.skip(2, 9)
    assert ledger.faults.counts == {"lost": 1}


def test_a_number_is_one_event_for_ever(ledger: Ledger) -> None:
    ledger.see(1, b"one", None, "a")
    ledger.see(1, b"one", None, "b")
    assert not ledger.faults.counts
    ledger.see(1, b"another", None, "c")
    assert ledger.faults.counts == {"altered": 1}


def test_a_damaged_text_and_a_message_under_two_numbers(ledger: Ledger) -> None:
    text = text_of(ledger, 1)
    damaged = text[:20] + b"!" + text[21:]
    ledger.see(1, line_of(1, damaged), damaged, "a")
    assert ledger.faults.counts == {"altered": 1}
    ledger.see(2, line_of(2, text), text, "a")
    ledger.see(3, line_of(3, text), text, "a")
    assert ledger.faults.counts == {"altered": 1, "doubled": 1}


def test_what_a_talker_lacks_has_to_be_its_own(ledger: Ledger) -> None:
    reader, talker = place_of(ledger), place_of(ledger, own=7)
    take(reader, ledger, 1)
    take(reader, ledger, 2, talker=7)
    take(reader, ledger, 3)
    take(talker, ledger, 1)
    take(talker, ledger, 3)
    talker.judge()
    assert not ledger.faults.counts
    take(reader, ledger, 4)
    take(reader, ledger, 5)
    take(talker, ledger, 5)
    talker.judge()
    assert ledger.faults.counts == {"lost": 1}


@pytest.mark.parametrize(
    ("numbers", "faults"),
    [
        ([1, 2, 3, 4], {}),
        ([2, 3], {}),  # it came later, and went earlier
        ([1, 3, 4], {"lost": 1}),
        ([1, 2, 2, 3], {"doubled": 1}),
        ([1, 3, 2, 4], {"reordered": 1}),
        ([1, 2, 99], {}),  # nobody else had it: the server was killed
    ],
)
def test_a_stream_without_numbers_is_in_the_rooms_order(
    ledger: Ledger, numbers: list[int], faults: dict[str, int]
) -> None:
    reader = place_of(ledger)
    for seq in range(1, 5):
        take(reader, ledger, seq)
    place = TextPlace(ledger, "plain")
    for seq in numbers:
        place.take(text_of(ledger, seq))
    place.judge()
    assert ledger.faults.counts == faults


def test_a_long_stream_without_numbers_is_judged_on_the_way(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadtest.soak.places.JUDGED_AT", 10)
    monkeypatch.setattr("loadtest.soak.places.KEPT", 4)
    reader, place = place_of(ledger), TextPlace(ledger, "plain")
    for seq in range(1, 51):
        take(reader, ledger, seq)
        if seq not in (6, 7):  # behind the first that are judged
            place.take(text_of(ledger, seq))
    assert ledger.faults.counts == {"lost": 2}
    place.judge()
    assert ledger.faults.counts == {"lost": 2}


def test_a_talkers_gap_begins_where_it_stands(ledger: Ledger) -> None:
    reader, talker = place_of(ledger), place_of(ledger, own=7)
    take(reader, ledger, 1)
    talker.skip(2, 9)
    talker.judge()
    assert ledger.faults.counts == {"lost": 1}


def test_a_gap_for_what_was_acked_or_said_in_a_well_room_is_a_loss(ledger: Ledger) -> None:
    reader = place_of(ledger)
    take(reader, ledger, 1)
    take(reader, ledger, 2)
    ledger.ack(1, 1, 1)
    ledger.miss(2, 2, "resumer")  # a fault is about: it was not stored yet
    ledger.doubt()
    ledger.windows.close()
    ledger.miss(2, 9, "resumer")
    assert not ledger.faults.counts
    ledger.miss(1, 1, "resumer")
    assert ledger.faults.counts == {"lost": 1}
    take(reader, ledger, 3)
    ledger.miss(3, 3, "resumer")
    assert ledger.faults.counts == {"lost": 2}
    ledger.endanger()
    ledger.miss(1, 3, "resumer")
    assert ledger.faults.counts == {"lost": 2}


def test_the_feed_loses_nothing_in_a_well_room(ledger: Ledger) -> None:
    reader = place_of(ledger)
    take(reader, ledger, 1)
    ledger.lose(1, 1, "listener")
    ledger.windows.close()
    ledger.lose(1, 1, "listener")  # it was said before
    assert not ledger.faults.counts
    ledger.windows._clear_from_us = 0
    ledger.lose(1, 1, "listener")
    assert ledger.faults.counts == {"lost": 1}


def test_who_has_numbers_has_heard_all_but_its_own(ledger: Ledger) -> None:
    reader, talker = place_of(ledger), place_of(ledger, own=7)
    take(reader, ledger, 1)
    take(reader, ledger, 2, talker=7)
    assert not talker.has_heard(2)
    take(talker, ledger, 1)
    assert talker.has_heard(2)
    assert reader.has_heard(2)
    assert not reader.has_heard(3)


def test_who_has_no_numbers_has_heard_the_newest_that_was_said_since_it_came(
    ledger: Ledger,
) -> None:
    reader, place = place_of(ledger), TextPlace(ledger, "plain", own=7)
    assert not place.has_heard(0)
    take(reader, ledger, 1)
    place.enter()
    assert place.has_heard(1)
    text = ledger.payload.write(Mark(1, 2, monotonic_ns() // 1000))
    reader.take(2, line_of(2, text), text)
    assert not place.has_heard(2)
    place.take(text)
    take(reader, ledger, 3, talker=7)
    assert place.has_heard(3)


async def test_who_has_gone_deaf_is_waited_for_and_named(
    ledger: Ledger, autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    server = Server(tmp_path, Place(1, "239.255.90.9", 2, "127.0.0.1"), Obstacles(tmp_path))
    crowd = Crowd(server, ledger, 1)
    for bot in crowd.bots:
        bot.ears.is_in = True
        if isinstance(bot.ears, TextEars):
            bot.ears._place.enter()
    deaf = crowd.listeners[0]
    for listener in crowd.listeners:
        listener._take(SessionBegan("SESSION", 1))
    assert await crowd.wait_all_in() == []
    text = ledger.payload.write(Mark(99, 1, monotonic_ns() // 1000))
    line = b'{"seq":1,"kind":"message","text":"%b"}' % text
    for bot in crowd.bots[1:]:
        if isinstance(bot.ears, NumberedEars):
            bot.ears._place.take(1, line, text)
        elif isinstance(bot.ears, TextEars):
            bot.ears._place.take(text)
    crowd.listeners[1]._take(Delivered(1, line))
    assert await crowd.wait_all_in() == [crowd.bots[0].name, deaf.name]


def test_a_latency_counts_outside_faults_only(ledger: Ledger) -> None:
    place = place_of(ledger)
    take(place, ledger, 1)
    assert ledger.worst.late_us == 0  # the crowd is still coming in
    ledger.windows.close()
    take(place, ledger, 2)
    assert ledger.worst.late_us == 0  # it was due before
    ledger.windows._clear_from_us = 0
    take(place, ledger, 3)
    assert ledger.worst.late_us > 0


def test_a_latency_counts_in_what_is_live_only(ledger: Ledger) -> None:
    ledger.windows.close()
    ledger.windows._clear_from_us = 0
    place = place_of(ledger)
    place.live_from = 2
    take(place, ledger, 1)  # of a replay
    assert ledger.worst.late_us == 0
    take(place, ledger, 2)
    assert ledger.worst.late_us > 0
