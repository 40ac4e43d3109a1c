"""The server's figures in the text format of Prometheus, made when somebody asks for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from chatroom.event import CloseReason
from chatroom.protocol.plain.render import PLAIN

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import CollectorRegistry

    from chatroom.journal import Journal
    from chatroom.room.room import Room
    from chatroom.server.connection import Connection
    from chatroom.server.counters import Histogram
    from chatroom.server.parts import Parts

#: More families of metrics: of the feed, say.
Source = Callable[[], "Iterable[Metric]"]


class Figures:
    """What Prometheus scrapes. Names follow its conventions: a unit in the name, `_total` behind
    what only grows.
    """

    def __init__(self, room: Room, journal: Journal, parts: Parts) -> None:
        self._room = room
        self._journal = journal
        self._parts = parts
        self._counters = parts.counters
        self._sources: list[Source] = [self._of_connections, self._of_the_room]
        self._registry: CollectorRegistry | None = None

    def add(self, source: Source) -> None:
        """Have further families collected."""
        self._sources.append(source)

    def render(self) -> str:
        """The text. May be called from any thread. The first call imports what makes it (20 ms);
        with 10,000 connections each takes some 5 ms.
        """
        # Imported here: a server that nobody scrapes does not need it.
        from prometheus_client.exposition import generate_latest  # noqa: PLC0415
        from prometheus_client.process_collector import ProcessCollector  # noqa: PLC0415
        from prometheus_client.registry import CollectorRegistry  # noqa: PLC0415

        if self._registry is None:
            self._registry = CollectorRegistry(auto_describe=False)
            ProcessCollector(registry=self._registry)
            self._registry.register(self)
        return generate_latest(self._registry).decode()

    def describe(self) -> list[Metric]:
        """For the registry: nothing is collected before somebody asks."""
        return []

    def collect(self) -> Iterator[Metric]:
        """For the registry: all families."""
        for source in self._sources:
            yield from source()

    def _of_connections(self) -> Iterator[Metric]:
        from prometheus_client.metrics_core import (  # noqa: PLC0415
            CounterMetricFamily,
            GaugeMetricFamily,
        )

        connections = list(self._parts.connections)
        open_now = GaugeMetricFamily(
            "chatroom_connections",
            "Open connections, by wire format and transport.",
            labels=("format", "transport"),
        )
        counts = Counter((_format(one), one.transport) for one in connections)
        for (form, transport), count in sorted(counts.items()):
            open_now.add_metric((form, transport), count)
        yield open_now
        yield CounterMetricFamily(
            "chatroom_connections_accepted",
            "Connections accepted.",
            value=self._counters.accepted,
        )
        closed = CounterMetricFamily(
            "chatroom_connections_closed", "Connections that have ended.", labels=("reason",)
        )
        for reason in CloseReason:
            closed.add_metric((str(reason),), self._parts.endings.counts[reason])
        yield closed
        received_bytes = self._counters.ended_received_bytes
        received_bytes += sum(one.received_bytes for one in connections)
        yield CounterMetricFamily(
            "chatroom_received_bytes", "Bytes from clients.", value=received_bytes
        )
        yield CounterMetricFamily(
            "chatroom_sent_bytes",
            "Bytes handed to clients' outboxes.",
            value=self._counters.sent_bytes,
        )
        waiting = [one.outbox.size_bytes for one in connections]
        yield GaugeMetricFamily(
            "chatroom_outbox_bytes", "Bytes that wait for clients to read.", value=sum(waiting)
        )
        yield GaugeMetricFamily(
            "chatroom_outbox_worst_bytes",
            "Bytes that wait for the client that is furthest behind.",
            value=max(waiting, default=0),
        )

    def _of_the_room(self) -> Iterator[Metric]:
        from prometheus_client.metrics_core import (  # noqa: PLC0415
            CounterMetricFamily,
            GaugeMetricFamily,
        )

        counters = self._counters
        yield GaugeMetricFamily("chatroom_members", "Members of the room.", value=len(self._room))
        yield GaugeMetricFamily(
            "chatroom_last_event", "The number of the newest event.", value=self._room.seq
        )
        events = CounterMetricFamily("chatroom_events", "Events of the room.", labels=("kind",))
        for kind, count in counters.events.items():
            events.add_metric((kind,), count)
        yield events
        yield CounterMetricFamily(
            "chatroom_deliveries",
            "Events and notices, times the clients they were handed to.",
            value=counters.deliveries,
        )
        yield _histogram(
            "chatroom_batch_drafts", "What clients asked for in one turn.", counters.batches
        )
        yield _histogram(
            "chatroom_turn_seconds",
            "Time of one turn of the room, from the first draft to the last send.",
            counters.turns,
        )
        yield GaugeMetricFamily(
            "chatroom_loop_lag_seconds",
            "How late the event loop woke a sleeper, the last time.",
            value=counters.loop_lag_seconds,
        )


def _format(connection: Connection) -> str:
    """The wire format; `opening` until the first bytes have said which, `silent` for HTTP."""
    undecided = connection.format is PLAIN and not connection.inside
    return "opening" if undecided else connection.format.name


def _histogram(name: str, documentation: str, histogram: Histogram) -> Metric:
    from prometheus_client.metrics_core import HistogramMetricFamily  # noqa: PLC0415

    buckets: list[tuple[str, float]] = []
    count = 0
    bounds = [*(f"{bound:g}" for bound in histogram.bounds), "+Inf"]
    for bound, inside in zip(bounds, histogram.counts, strict=True):
        count += inside
        buckets.append((bound, count))
    family = HistogramMetricFamily(name, documentation)
    family.add_metric((), buckets, histogram.total)
    return family
