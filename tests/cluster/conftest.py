"""Servers of one room, in this process, over a log in memory."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import pytest
import trio

from chatroom.journal import Journal, new_session
from chatroom.journal.memory import MemoryJournal
from chatroom.order.contract import Rules
from chatroom.order.part import Part
from chatroom.room.charter import Charter
from chatroom.server.cluster.cluster import Cluster, open_cluster
from chatroom.server.service import Service
from chatroom.settings import ServerSettings
from tests.access.conftest import accounts, password_hash
from tests.shared_log import Line, MemoryStore
from tests.visiting import House

__all__ = ["accounts", "open_server", "password_hash", "store"]


class ClusterHouse(House):
    """A server, its way to the log, and its visitors."""

    def __init__(self, service: Service, journal: Journal, line: Line, cluster: Cluster) -> None:
        super().__init__(service, journal)
        self.line = line
        self.cluster = cluster
        self.scope = trio.CancelScope()

    def kill(self) -> None:
        """As with -9, but that the sockets close in good order."""
        self.scope.cancel()


async def _serve(
    store: MemoryStore,
    name: str,
    journal: Journal,
    settings: ServerSettings,
    *,
    task_status: trio.TaskStatus[ClusterHouse],
) -> None:
    rules = Rules(settings.max_clients, settings.presence_limit)
    part = Part(
        settings.room,
        name,
        (f"{name}.example:9009",),
        rules,
        Charter(),
        journal.recent.last_seq,
        new_session,
    )
    line = Line(store)
    async with open_cluster(line, part, journal) as cluster:
        service = Service(settings, journal, cluster=cluster)
        house = ClusterHouse(service, journal, line, cluster)
        with house.scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(service.run)
                task_status.started(house)


OpenServer = Callable[..., Coroutine[Any, Any, ClusterHouse]]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def open_server(nursery: trio.Nursery, store: MemoryStore) -> Iterator[OpenServer]:
    """Start a server by its name; see `ServerSettings` for the rest."""
    houses: list[ClusterHouse] = []

    async def open_one(
        name: str, *, journal: Journal | None = None, **settings: Any
    ) -> ClusterHouse:
        journal = journal or MemoryJournal(1000)
        chosen = ServerSettings(**{"port": 0, **settings})
        house: ClusterHouse = await nursery.start(partial(_serve, store, name, journal, chosen))
        houses.append(house)
        return house

    yield open_one
    for house in houses:
        house.close()
