"""What the figures say: families of metrics from what is counted and what is there.

Each function takes what it reads and gives a source for `chatroom.server.figures`; the library is
imported when the first is asked, as a server that nobody scrapes does not need it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from chatroom.event import CloseReason
from chatroom.journal.statistics import COMMIT_BUCKETS_SECONDS
from chatroom.protocol.plain.render import PLAIN

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from chatroom.feed.statistics import FeedStatistics
    from chatroom.journal.statistics import JournalStatistics
    from chatroom.order.part import Statistics as LogStatistics
    from chatroom.room.room import Room
    from chatroom.server.connection import Connection
    from chatroom.server.counters import Histogram
    from chatroom.server.parts import Parts
    from chatroom.transport.outbox import Shared


def of_connections(parts: Parts, shared: Shared) -> Iterator[Metric]:
    """Who is connected, how they ended, what came and went."""
    from prometheus_client.metrics_core import GaugeMetricFamily  # noqa: PLC0415

    connections = list(parts.connections)
    open_now = GaugeMetricFamily(
        "chatroom_connections",
        "Open connections, by wire format and transport.",
        labels=("format", "transport"),
    )
    counts = Counter((_format(one), one.transport) for one in connections)
    for labels, count in sorted(counts.items()):
        open_now.add_metric(labels, count)
    yield open_now
    yield _counter("chatroom_connections_accepted", "Connections.", parts.counters.accepted)
    yield _counters(
        "chatroom_connections_turned_away",
        "Newcomers that were not let in.",
        "reason",
        parts.counters.turned_away,
    )
    ended = parts.endings.counts
    yield _counters(
        "chatroom_connections_closed",
        "Connections that have ended.",
        "reason",
        {str(reason): ended[reason] for reason in CloseReason},
    )
    received_bytes = parts.counters.ended_received_bytes
    received_bytes += sum(one.received_bytes for one in connections)
    yield _counter("chatroom_received_bytes", "Bytes from clients.", received_bytes)
    sent_bytes = parts.counters.audience_bytes + shared.pushed_bytes
    yield _counter("chatroom_sent_bytes", "Bytes handed to clients' outboxes.", sent_bytes)
    yield _counters(
        "chatroom_slowed",
        "Times that a connection was slowed down, by what it said too much of.",
        "of",
        parts.counters.slowed,
    )
    yield _gauge(
        "chatroom_held_back_connections",
        "Connections that are not read from now, by their rate or the room's.",
        parts.counters.held_back,
    )
    waiting = [one.outbox.size_bytes for one in connections]
    yield _gauge("chatroom_outbox_bytes", "Bytes that wait for clients to read.", sum(waiting))
    yield _gauge(
        "chatroom_outbox_worst_bytes",
        "Bytes that wait for the client that is furthest behind.",
        max(waiting, default=0),
    )


def of_the_room(room: Room, parts: Parts) -> Iterator[Metric]:
    """What happens in the room, and how long its turns take."""
    counters = parts.counters
    yield _gauge("chatroom_members", "Members of the room.", len(room))
    yield _gauge("chatroom_last_event", "The number of the newest event.", room.seq)
    yield _counters("chatroom_events", "Events of the room.", "kind", counters.events)
    yield _counter(
        "chatroom_deliveries",
        "Events and notices, times the clients they were handed to.",
        counters.deliveries,
    )
    batches, turns = counters.batches, counters.turns
    yield _histogram(
        "chatroom_batch_drafts",
        "What clients asked for in one turn.",
        batches.bounds(),
        batches.counts,
        batches.total,
    )
    yield _histogram(
        "chatroom_turn_seconds",
        "Time of one turn of the room, from the first draft to the last send.",
        [bound / 1_000_000 for bound in turns.bounds()],
        turns.counts,
        turns.total / 1_000_000,
    )
    yield _gauge(
        "chatroom_loop_lag_seconds",
        "How late the event loop woke a sleeper, the last time.",
        counters.loop_lag_seconds,
    )


def of_the_journal(journal: JournalStatistics) -> Iterator[Metric]:
    """What waits for the disk, and what became of it."""
    yield _counter("chatroom_journal_stored_events", "Events stored.", journal.stored_events)
    yield _counter(
        "chatroom_journal_not_stored_events",
        "Events that the journal could not keep (not_stored).",
        journal.refused_events,
    )
    yield _gauge(
        "chatroom_journal_backlog_events", "Events that wait for the disk.", journal.backlog_events
    )
    yield _gauge(
        "chatroom_journal_backlog_bytes",
        "Memory of the events that wait for the disk.",
        journal.backlog_bytes,
    )
    yield _gauge(
        "chatroom_journal_behind_seconds",
        "The age of the oldest event that waits for the disk.",
        journal.behind_seconds,
    )
    yield _gauge(
        "chatroom_journal_failing",
        "1 while writing fails, else 0.",
        int(journal.failure is not None),
    )
    yield _histogram(
        "chatroom_journal_commit_seconds",
        "Time of one commit.",
        COMMIT_BUCKETS_SECONDS,
        journal.commit_buckets,
        journal.commit_seconds,
    )


def of_the_feed(feed: FeedStatistics) -> Iterator[Metric]:
    """What went to the group, and who asked for it again."""
    yield _counter("chatroom_feed_packets", "Packets sent to the group.", feed.packets)
    yield _counter("chatroom_feed_sent_bytes", "Bytes of these packets.", feed.bytes)
    yield _counter(
        "chatroom_feed_send_failures", "Packets that could not be sent.", feed.send_failures
    )
    yield _counter("chatroom_feed_requests", "Requests for a repair.", feed.requests)
    yield _counter("chatroom_feed_answers", "Requests that were answered.", feed.answers)
    yield _counters(
        "chatroom_feed_refusals", "Requests that got silence.", "reason", dict(feed.refusals)
    )


def of_the_cluster(log: LogStatistics, round_trips: Histogram) -> Iterator[Metric]:
    """How the log goes that the room's servers share."""
    from prometheus_client.metrics_core import GaugeMetricFamily  # noqa: PLC0415

    yield _gauge("chatroom_cluster_reached", "1 while the log is there, else 0.", int(log.reached))
    yield _gauge(
        "chatroom_cluster_behind_seconds",
        "The age of the oldest entry of this server that has not come back.",
        log.behind_seconds,
    )
    yield _gauge("chatroom_cluster_in_flight", "Such entries.", log.in_flight)
    yield _gauge("chatroom_cluster_in_flight_bytes", "Bytes of them.", log.in_flight_bytes)
    yield _counter("chatroom_cluster_entries", "Entries of the log, ever.", log.entries)
    yield _gauge(
        "chatroom_cluster_snapshot_entries",
        "Entries since the last snapshot was due.",
        log.since_snapshot,
    )
    silent = GaugeMetricFamily(
        "chatroom_cluster_silent_seconds",
        "Since the last entry of each server; with five it is held for gone.",
        labels=("server",),
    )
    for server, seconds in sorted(log.silent_seconds.items()):
        silent.add_metric((server,), seconds)
    yield silent
    yield _histogram(
        "chatroom_cluster_round_trip_seconds",
        "From the append of an entry to its being done here.",
        [bound / 1_000_000 for bound in round_trips.bounds()],
        round_trips.counts,
        round_trips.total / 1_000_000,
    )


def _format(connection: Connection) -> str:
    """The wire format; `opening` until the first bytes have said which, `silent` for HTTP."""
    undecided = connection.format is PLAIN and not connection.inside
    return "opening" if undecided else connection.format.name


def _gauge(name: str, documentation: str, value: float) -> Metric:
    from prometheus_client.metrics_core import GaugeMetricFamily  # noqa: PLC0415

    return GaugeMetricFamily(name, documentation, value=value)


def _counter(name: str, documentation: str, value: float) -> Metric:
    from prometheus_client.metrics_core import CounterMetricFamily  # noqa: PLC0415

    return CounterMetricFamily(name, documentation, value=value)


def _counters(name: str, documentation: str, label: str, values: dict[str, int]) -> Metric:
    from prometheus_client.metrics_core import CounterMetricFamily  # noqa: PLC0415

    family = CounterMetricFamily(name, documentation, labels=(label,))
    for word, value in sorted(values.items()):
        family.add_metric((word,), value)
    return family


def _histogram(
    name: str, documentation: str, bounds: Sequence[float], counts: Sequence[int], total: float
) -> Metric:
    """`counts`: of each bucket, and of what is over the last bound."""
    from prometheus_client.metrics_core import HistogramMetricFamily  # noqa: PLC0415

    buckets: list[tuple[str, float]] = []
    count = 0
    names = [*(f"{bound:g}" for bound in bounds), "+Inf"]
    for bound, inside in zip(names, counts, strict=True):
        count += inside
        buckets.append((bound, count))
    family = HistogramMetricFamily(name, documentation)
    family.add_metric((), buckets, total)
    return family
