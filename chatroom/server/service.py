"""The server's life: what is opened, in which nursery it lives, and how it ends."""

from __future__ import annotations

import gc
import logging
import resource
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import trio

from chatroom.event import CloseReason
from chatroom.feed.broadcast import Feed
from chatroom.protocol import answers
from chatroom.protocol.moldudp64 import largest_message
from chatroom.protocol.reader import RequestReader
from chatroom.protocol.requests import Ending
from chatroom.protocol.text import TextRules
from chatroom.room import Room
from chatroom.server.acceptor import Acceptor, open_listeners
from chatroom.server.broadcaster import Broadcaster
from chatroom.server.connection import Connection, Mode
from chatroom.server.dispatcher import Dispatcher
from chatroom.server.epoll import EpollMode
from chatroom.server.fanout import Fanout
from chatroom.server.sockets import peer_name
from chatroom.server.threads import ThreadMode
from chatroom.settings import LOBBY_CONNECTIONS, MAX_EVENT_BYTES, ServerSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trio_typing import TaskStatus

    from chatroom.journal import Journal

log = logging.getLogger("chatroom.server")


@dataclass(frozen=True)
class Statistics:
    """A snapshot."""

    connections: int
    members: int
    seq: int  #: the number of the last event
    not_stored: int  #: events that the journal could not keep
    ended: Mapping[CloseReason, int]  #: connections that have ended, by reason


class Service:
    """One room's server: the connections, and what they share."""

    def __init__(self, settings: ServerSettings, journal: Journal) -> None:
        self.settings = settings
        self.addresses: list[str] = []  #: what it listens on, `host:port`
        self.port = 0
        self._draining = trio.Event()
        self._connections: set[Connection] = set()
        self._accepted = 0
        most_event_bytes = MAX_EVENT_BYTES
        if settings.feed is not None:
            most_event_bytes = largest_message(settings.feed.datagram_bytes)
        self._rules = TextRules(settings.max_text_bytes, most_event_bytes)
        self._room = Room(
            settings.room,
            max_members=settings.max_clients,
            presence_limit=settings.presence_limit,
            last_seq=journal.recent.last_seq,
        )
        self._fanout = Fanout()
        self._dispatcher = Dispatcher(self._room, self._fanout, journal)
        self._dispatcher.entrance.limits = answers.Limits(self._rules.longest_text_bytes)
        self._broadcaster = Broadcaster(self._dispatcher)
        self._journal = journal

    def drain(self) -> None:
        """Begin to end: no newcomers, what was accepted is delivered, everybody is told."""
        self._draining.set()

    def statistics(self) -> Statistics:
        return Statistics(
            connections=len(self._connections),
            members=len(self._room),
            seq=self._room.seq,
            not_stored=self._journal.refused_events,
            ended=dict(self._dispatcher.ended),
        )

    @property
    def draining(self) -> bool:
        return self._draining.is_set()

    async def run(self, *, task_status: TaskStatus[Service] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until `drain`, then for at most the grace period. `started` with itself once
        clients can connect. Raises `ChatroomError` if it cannot listen. Cancelled, it ends at once.
        """
        try:
            listeners = await open_listeners(self.settings.host, self.settings.port)
            feed = self._open_feed(listeners)
        except BaseException:
            with trio.move_on_after(self.settings.grace_seconds, shield=True):
                await self._journal.aclose()  # nothing was said: the log goes on as it was
            raise
        async with trio.open_nursery() as house:
            await house.start(self._broadcaster.run)
            if feed is not None:
                await house.start(feed.run)
            async with trio.open_nursery() as connections:
                mode = self._mode(connections)
                async with trio.open_nursery() as accepting:
                    for listener in listeners:
                        self._listen(listener, accepting, connections, mode)
                    where = {} if feed is None else feed.description()
                    self._log("ready", tcp=",".join(self.addresses), **where)
                    task_status.started(self)
                    await self._draining.wait()
                    accepting.cancel_scope.cancel()
                self._log("draining", grace_seconds=self.settings.grace_seconds)
                self._room.closing = True
                for connection in self._connections:
                    connection.stop_reading()
                grace_seconds = self.settings.grace_seconds
                connections.cancel_scope.deadline = trio.current_time() + grace_seconds
            if feed is not None:
                await feed.end()
            house.cancel_scope.cancel()
        with trio.move_on_after(self.settings.grace_seconds, shield=True):
            await self._journal.aclose()
        ended = {str(reason): count for reason, count in self._dispatcher.ended.items()}
        self._log("ended", seq=self._room.seq, not_stored=self._journal.refused_events, **ended)

    def _open_feed(self, listeners: Sequence[socket.socket]) -> Feed | None:
        settings = self.settings.feed
        if settings is None:
            return None
        if self.settings.port == 0:
            settings = replace(settings, any_request_port=True)
        try:
            feed = Feed(settings, listeners[0].getsockname()[1], self._journal, self._room.seq)
        except BaseException:
            for listener in listeners:
                listener.close()
            raise
        self._fanout.feed = feed
        self._dispatcher.entrance.multicast = answers.Multicast(
            feed.group.address, feed.group.port, feed.request_port
        )
        return feed

    def _log(self, message: str, **fields: object) -> None:
        common = {
            "room": self.settings.room,
            "mode": self.settings.mode,
            "session": self._journal.session,
        }
        log.info(message, extra={"fields": {**fields, **common}})

    def _mode(self, nursery: trio.Nursery) -> Mode:
        if self.settings.mode == "thread":
            return ThreadMode(self.settings)
        return EpollMode(self.settings, nursery)

    def _listen(
        self,
        listener: socket.socket,
        accepting: trio.Nursery,
        connections: trio.Nursery,
        mode: Mode,
    ) -> None:
        address = listener.getsockname()
        self.addresses.append(peer_name(address))
        self.port = address[1]

        def take(sock: socket.socket, peer: str) -> None:
            self._accepted += 1
            connection = Connection(self._accepted, peer)
            mode.attach(sock, connection, self._dispatcher.report_slow)
            self._connections.add(connection)
            connections.start_soon(self._serve, sock, connection, mode)

        accepting.start_soon(Acceptor(listener, self._is_full).run, take)

    def _is_full(self) -> bool:
        return len(self._connections) >= self.settings.max_clients + LOBBY_CONNECTIONS

    async def _serve(self, sock: socket.socket, connection: Connection, mode: Mode) -> None:
        """The one exception boundary of a connection: what gets here is a fault of ours, and ends
        this connection alone.
        """
        try:
            await mode.serve(sock, connection, RequestReader(self._rules), self._broadcaster)
        except* trio.BrokenResourceError:
            pass  # the broadcaster has ended before it: the server is being stopped at once
        except* Exception:
            log.exception("connection %d: fault in the server", connection.id)
            ending = Ending(CloseReason.PROTOCOL_ERROR, "a fault in the server")
            await self._broadcaster.submit(connection, [ending])
        finally:
            self._connections.discard(connection)


def raise_descriptor_limit() -> None:
    """Let this process have as many descriptors as it may: each client takes one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def tune_collector() -> None:
    """What has been imported lives as long as the process: the collector need not visit it again.
    And the young generation is made large: a batch allocates thousands of short-lived objects.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
