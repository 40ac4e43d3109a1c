"""The harness of the cluster's figures, not the figures."""

from __future__ import annotations

from loadtest.cluster import death, latency, throughput
from loadtest.namespaces import forbidden
from loadtest.two_feeds import listen


def test_the_ways_of_a_message_are_compared() -> None:
    for row in latency(1, 0.1):
        assert row.figure.endswith(" x")
        assert float(row.figure.split()[0]) > 0


def test_two_servers_have_one_order() -> None:
    log, people = throughput(0.2)
    assert float(log.figure.replace(",", "")) > 0
    assert people.reached, people.figure


def test_a_server_is_killed_and_nothing_is_lost() -> None:
    _, again, acked = death(watch_seconds=2)
    assert again.figure.startswith("20;")
    assert acked.reached, acked.figure


if not forbidden():

    def test_of_a_feed_on_two_groups_little_is_left_to_ask_for() -> None:
        one, both = listen(0.5)
        assert one.repaired > both.repaired
        assert both.received > 0
        assert one.lost == both.lost == 0
