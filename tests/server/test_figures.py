"""What `/metrics` says is what has happened, in a form that Prometheus reads."""

from __future__ import annotations

import re

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from chatroom.journal.statistics import JournalStatistics
from chatroom.server.counters import Histogram
from tests.conftest import OpenHouse
from tests.visiting import PATIENCE_SECONDS, House


async def _get(house: House, path: str) -> bytes:
    visitor = await house.knock()
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    await visitor.send(request.encode())
    answer = b""
    with trio.fail_after(PATIENCE_SECONDS):
        async for chunk in visitor.stream:
            answer += chunk
    return answer


async def _scrape(house: House) -> str:
    head, _, body = (await _get(house, "/metrics")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return body.decode()


def _value(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, name
    return float(found[1])


async def test_the_figures_say_what_has_happened(house: House) -> None:
    alice = await house.enter("alice")
    bob = await house.enter_json("bob")
    await alice.line()
    await alice.say("hello", "hello again", "/me waves", "/nick al")
    for _ in range(4):
        await bob.object()
    await bob.say({"kind": "quit"})
    await bob.rest()
    await alice.settle()
    text = await _scrape(house)
    figures = {
        'chatroom_connections{format="plain",transport="tcp"}': 1,
        'chatroom_connections_closed_total{reason="quit"}': 1,
        'chatroom_connections_closed_total{reason="slow_reader"}': 0,
        "chatroom_connections_accepted_total": 3,
        "chatroom_members": 1,
        "chatroom_last_event": 7,
        'chatroom_events_total{kind="message"}': 2,
        'chatroom_events_total{kind="action"}': 1,
        'chatroom_events_total{kind="rename"}': 1,
        'chatroom_events_total{kind="join"}': 2,
        'chatroom_events_total{kind="leave"}': 1,
        "chatroom_deliveries_total": 6,  # alice: a join and a leave; bob: four of alice's
        "chatroom_outbox_bytes": 0,
        "chatroom_outbox_worst_bytes": 0,
    }
    assert {name: _value(text, name) for name in figures} == figures
    assert _value(text, "chatroom_received_bytes_total") > len("/nick alice\nhello\nhello again\n")
    assert _value(text, "chatroom_sent_bytes_total") > len("alice: hello\n")
    turns = _value(text, "chatroom_turn_seconds_count")
    assert turns == _value(text, 'chatroom_turn_seconds_bucket{le="+Inf"}') >= 5
    assert turns == _value(text, "chatroom_batch_drafts_count")
    assert _value(text, "process_resident_memory_bytes") > 1e7


@pytest.mark.parametrize(
    ("statistics", "status", "report"),
    [
        (JournalStatistics(behind_seconds=1.9), 200, b'{"status":"ok"}'),
        (
            JournalStatistics(behind_seconds=2.5),
            503,
            b'{"status":"behind","reason":"the disk is 2.5 s late"}',
        ),
        (
            JournalStatistics(failure="disk full"),
            503,
            b'{"status":"not_stored","reason":"disk full"}',
        ),
    ],
)
async def test_health_is_that_of_the_disk(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    statistics: JournalStatistics,
    status: int,
    report: bytes,
) -> None:
    monkeypatch.setattr(house.journal, "statistics", lambda: statistics)
    head, _, body = (await _get(house, "/healthz")).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert body.strip() == report


async def test_every_format_is_counted_and_what_has_gone_is_not(house: House) -> None:
    await house.enter("alice")
    for _ in range(3):
        await house.enter_json()
    text = await _scrape(house)
    assert _value(text, 'chatroom_connections{format="plain",transport="tcp"}') == 1
    assert _value(text, 'chatroom_connections{format="json",transport="tcp"}') == 3


async def test_every_family_is_named_and_explained_as_prometheus_has_it(house: House) -> None:
    await house.enter("alice")
    families = list(text_string_to_metric_families(await _scrape(house)))
    own = [family for family in families if family.name.startswith("chatroom_")]
    assert len(own) >= 13
    for family in own:
        assert family.documentation
        assert family.type in ("counter", "gauge", "histogram")
        samples = {sample.name for sample in family.samples}
        if family.type == "counter":
            assert samples == {f"{family.name}_total"}
        elif family.type == "gauge":
            assert samples == {family.name}
            assert not family.name.endswith("_total")


async def test_who_waits_for_a_reader_is_seen(open_room: OpenHouse) -> None:
    house = await open_room()
    await house.enter("stuck", receive_buffer_bytes=4096)
    talker = await house.enter("talker")
    await talker.say(*["x" * 1000] * 2000)
    await talker.settle()
    text = await _scrape(house)
    worst = _value(text, "chatroom_outbox_worst_bytes")
    assert worst > 500_000
    # In the thread mode, an answer that the talker has read already may still be counted.
    assert worst <= _value(text, "chatroom_outbox_bytes") < worst + 100


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ([], {}),
        ([0, 1], {0: 1, 1: 1}),
        ([2, 3, 4], {2: 2, 3: 1}),
        ([(1 << 20) - 1, 1 << 20], {20: 1, 21: 1}),
        ([1 << 21, 1 << 60], {21: 2}),
    ],
)
def test_a_histogram_counts_up_to_each_bound(values: list[int], counts: dict[int, int]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    assert {bits: n for bits, n in enumerate(histogram.counts) if n} == counts
    assert histogram.total == sum(values)
    assert len(histogram.bounds()) == len(histogram.counts) - 1
    for value in values:
        bits = next(i for i, bound in enumerate([*histogram.bounds(), 1 << 61]) if value <= bound)
        assert histogram.counts[bits]


async def test_bytes_are_counted_however_they_go_out(house: House) -> None:
    alice = await house.enter("alice")
    await house.enter("bob")
    before = _value(await _scrape(house), "chatroom_sent_bytes_total")
    await alice.say("x" * 1000, "/history 1")  # to a whole audience; to her alone
    await alice.settle()
    resumed = await house.enter_json("carol", after=0)
    while (await resumed.object())["kind"] != "join":
        pass
    after = _value(await _scrape(house), "chatroom_sent_bytes_total")
    page = 7000  # the answer to the scrape itself, and less
    assert 3000 < after - before < 3000 + 3000 + page
