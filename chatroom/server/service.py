"""The server's life: what is opened, in which nursery it lives, and how it ends."""

from __future__ import annotations

import logging
import socket
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import trio

from chatroom.errors import ChatroomError
from chatroom.event import Clock, CloseReason
from chatroom.feed.seal import OVERHEAD_BYTES
from chatroom.protocol import answers
from chatroom.protocol.moldudp64 import largest_message
from chatroom.protocol.session import Venue, Visit
from chatroom.room.room import Room
from chatroom.room.text import TextRules
from chatroom.server import families
from chatroom.server.administration import Administration, Reach
from chatroom.server.control import Control
from chatroom.server.counters import Counters
from chatroom.server.doors import open_doors
from chatroom.server.entrance import Entrance
from chatroom.server.fairness.shares import Shares
from chatroom.server.fanout.senders import senders_of
from chatroom.server.figures import Figures, Source
from chatroom.server.housekeeping import give_memory_back, measure_lag
from chatroom.server.parts import ALONE, Parts, Way, assemble
from chatroom.server.serving.acceptor import Acceptor, Take
from chatroom.server.serving.clients import Clients
from chatroom.server.serving.epoll_mode import EpollMode
from chatroom.server.serving.modes import Mode, ThreadMode
from chatroom.server.serving.vigil import Vigil
from chatroom.server.turn.offer import Offer
from chatroom.settings import (
    BEHIND_SECONDS,
    MAX_ANSWER_BYTES,
    MAX_EVENT_BYTES,
    MEMORY_BUDGET_BYTES,
    Access,
    ServerSettings,
)
from chatroom.transport.budget import Budget
from chatroom.transport.busy_poll import receiver
from chatroom.transport.listening import remove_unix
from chatroom.transport.outbox import Bounds, Shared
from chatroom.transport.sockets import is_local, peer_name
from chatroom.transport.tls_server import ServerTls
from chatroom.web.site import RoomSite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trio_typing import TaskStatus

    from chatroom.feed.broadcast import Feed
    from chatroom.journal import Journal
    from chatroom.server.cluster.cluster import Cluster
    from chatroom.server.connection import Connection

log = logging.getLogger("chatroom.server")


@dataclass(frozen=True)
class Statistics:
    """A snapshot."""

    connections: int
    members: int
    seq: int  #: the number of the last event
    not_stored: int  #: events that the journal could not keep
    ended: Mapping[CloseReason, int]  #: connections that have ended, by reason
    turned_away: Mapping[str, int]  #: newcomers that were not let in, by reason
    held_back: int  #: connections that say more than they may now, and are not read from
    slowed: Mapping[str, int]  #: how often that has begun, by what was said too much of


class Service:
    """One room's server: the connections, and what they share."""

    def __init__(
        self,
        settings: ServerSettings,
        journal: Journal,
        inherited: Sequence[socket.socket] = (),
        cluster: Cluster | None = None,
    ) -> None:
        """With `inherited` listening sockets no others are opened; who opened them keeps them, so
        newcomers wait in their queue from the drain on. With a `cluster` the room is that one's,
        which is on other servers too. Blocks for the disk where accounts are kept. Raises
        `ChatroomError` if the room could not be entered as `settings` say, or if there is no TLS
        with its certificate and key.
        """
        self.settings = settings
        self.addresses: list[str] = []  #: what it listens on, `host:port`
        self.port = 0
        self._ready, self._draining = trio.Event(), trio.Event()
        self._inherited = inherited
        self._accepting = trio.CancelScope()
        self._all_accepted = trio.Event()  # who has been taken in is all there will be
        self._parts: Parts | None = None
        self._connections: set[Connection] = set()
        self._since = time.time()
        most_event_bytes = MAX_EVENT_BYTES
        if settings.feed is not None:
            most_event_bytes = largest_message(settings.feed.datagram_bytes)
            if settings.feed_is_sealed:
                most_event_bytes -= OVERHEAD_BYTES
        self._rules = TextRules(settings.max_text_bytes, most_event_bytes)
        self._entrance = Entrance(settings.access)
        self._guard = self._entrance.guard()
        self._cluster = cluster
        #: What is said and who is here; to be changed by commands in a turn only.
        self.room = self._new_room(journal.recent.last_seq) if cluster is None else cluster.room
        self._ended: Counter[CloseReason] = Counter()
        self._counters = Counters()
        self._journal = journal
        self._clock = Clock()
        self._senders = senders_of(settings)
        self._tls: ServerTls | None = None
        if settings.tls is not None:
            self._tls = ServerTls(settings.tls, self._entrance.certificates())

    def _new_room(self, last_seq: int) -> Room:
        return Room(
            self.settings.room,
            max_members=self.settings.max_clients,
            presence_limit=self.settings.presence_limit,
            last_seq=last_seq,
            charter=self._entrance.charter(last_seq),
        )

    async def reload(self) -> None:
        """Read again what may have changed: accounts and their certificates, the secret, the
        server's certificate and its key, for those who come from now on. If those two are no good,
        they and the clients' certificates that are taken stay as they were, and the log says so.
        Raises `ChatroomError` if accounts or secret cannot be read: then all stays as it was.
        """
        certificates = await trio.to_thread.run_sync(self._entrance.certificates)
        if self._parts is not None:
            guard = await trio.to_thread.run_sync(self._entrance.guard)
            accounts = await trio.to_thread.run_sync(self._entrance.accounts)
            self._parts.gate.guard = guard
            self._parts.dispatcher.own(accounts)
            self._log("reloaded", accounts=len(accounts))
        self._reload_certificate(certificates)

    def _reload_certificate(self, certificates: Sequence[bytes]) -> None:
        if self._tls is None:
            return
        try:
            self._tls.reload(certificates)
        except ChatroomError as error:
            log.warning("certificate not reloaded, the old one stays: %s", error)
        else:
            self._log("certificate reloaded", tls=self._tls.fingerprint)

    def drain(self) -> None:
        """Begin to end: no newcomers, what was accepted is delivered, everybody is told."""
        self._draining.set()

    def statistics(self) -> Statistics:
        """What is true now. Never blocks."""
        return Statistics(
            connections=len(self._connections),
            members=len(self.room),
            seq=self.room.seq,
            not_stored=self._journal.refused_events,
            ended=dict(self._ended),
            turned_away={why: n for why, n in self._counters.turned_away.items() if n},
            held_back=self._counters.held_back,
            slowed=dict(self._counters.slowed),
        )

    def health(self) -> Mapping[str, object]:
        """Whether the room takes messages, and stores them. Called in any thread."""
        if self.draining:
            return {"status": "draining"}
        apart = None if self._cluster is None else self._cluster.health()
        if apart is not None:
            return apart
        journal = self._journal.statistics()
        if journal.failure is not None:
            return {"status": "not_stored", "reason": journal.failure}
        if journal.behind_seconds > BEHIND_SECONDS:
            return {
                "status": "behind",
                "reason": f"the disk is {journal.behind_seconds:.1f} s late",
            }
        return {"status": "ok"}

    async def wait_ready(self) -> None:
        """Wait until clients can connect."""
        await self._ready.wait()

    async def wait_draining(self) -> None:
        """Wait until it begins to end."""
        await self._draining.wait()

    async def wait_in_doubt(self) -> None:
        """Wait until a fault ends it: `run` is about to raise, once all has been let go of."""
        await self._ready.wait()  # before that nobody is inside
        assert self._parts is not None
        await self._parts.broadcaster.in_doubt.wait()

    @property
    def draining(self) -> bool:
        """Whether it has begun to end."""
        return self._draining.is_set()

    async def run(self, *, task_status: TaskStatus[Service] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until `drain`, then for at most the grace period. `started` with itself once
        clients can connect. Raises `ChatroomError` if it cannot listen, and `InDoubtError` (in a
        group) after a fault that cannot be mended. Cancelled, it ends at once.
        """
        try:
            doors = await open_doors(self.settings, self._journal, self.room.seq, self._inherited)
        except BaseException:
            with trio.move_on_after(self.settings.grace_seconds, shield=True):
                await self._journal.aclose()  # nothing was said: the log goes on as it was
            raise
        feed = doors.feed
        parts = self._assemble(feed)
        budget = Budget(MEMORY_BUDGET_BYTES)
        shared = Shared(Bounds.of(self.settings), parts.congestion, budget)
        async with trio.open_nursery() as house:
            await house.start(parts.broadcaster.run)
            await house.start(self._senders.run)
            self._keep_house(house, parts)
            if doors.control is not None:
                await house.start(self._control(doors.control, parts).run)
            if feed is not None:
                await house.start(feed.run)
            async with trio.open_nursery() as connections:
                mode = self._mode(parts, shared, connections)
                figures = Figures(self._sources(parts, shared, feed))
                shares = self._shares(doors.listeners)
                clients = self._clients(parts, mode, figures, connections, shares)
                await connections.start(mode.run, clients.wake)
                acceptors = self._acceptors(doors.listeners, clients)
                connections.start_soon(self._accept, acceptors, clients.take)
                self._say_ready(feed)
                task_status.started(self)
                await self._draining.wait()
                self._log("draining", grace_seconds=self.settings.grace_seconds)
                await self._end_clients(parts, clients)
                connections.cancel_scope.cancel()  # the acceptors too
            if feed is not None:
                await feed.end()
            house.cancel_scope.cancel()
        with trio.move_on_after(self.settings.grace_seconds, shield=True):
            await parts.keeper.aclose()
            await self._journal.aclose()
        ended = {str(reason): count for reason, count in self._ended.items()}
        self._log("ended", seq=self.room.seq, not_stored=self._journal.refused_events, **ended)

    def _keep_house(self, house: trio.Nursery, parts: Parts) -> None:
        """Start what is done now and then, beside the clients."""
        vigil = Vigil(parts.connections, parts.endings, self.settings.idle_seconds)
        for chore in (give_memory_back, parts.gate.run, parts.keeper.run, vigil.run):
            house.start_soon(chore)
        house.start_soon(measure_lag, parts.counters)
        house.start_soon(parts.comings.run, parts.dispatcher.announce)
        if self._cluster is not None:
            self._cluster.attach(parts)
            house.start_soon(self._cluster.run)

    async def _end_clients(self, parts: Parts, clients: Clients) -> None:
        if self._inherited:
            self._accepting.cancel()
            await self._all_accepted.wait()  # a batch may be under way
        with trio.move_on_after(self.settings.grace_seconds):
            parts.dispatcher.close()
            await clients.end_all()
            if self._cluster is not None:
                await self._cluster.leave()
        if self.settings.unix_path is not None and not self._inherited:
            remove_unix(self.settings.unix_path)

    def _assemble(self, feed: Feed | None) -> Parts:
        way: Way = ALONE if self._cluster is None else self._cluster
        offer = Offer(answers.Limits(self._rules.longest_text_bytes), feed, way.others)
        # Half an outbox at the most: an answer of the greatest length makes nobody a slow reader.
        limit_bytes = min(MAX_ANSWER_BYTES, self.settings.outbox_limit_bytes // 2)
        parts = assemble(
            self.room,
            self._journal,
            feed,
            offer,
            answer_limit_bytes=limit_bytes,
            guard=self._guard,
            file=self._entrance.file,
            rates=self.settings.rates,
            way=way,
            senders=self._senders,
            grace_seconds=self.settings.grace_seconds,
        )
        self._parts = parts
        self._ended = parts.endings.counts
        self._counters = parts.counters
        self._connections = parts.connections
        return parts

    def _log(self, message: str, **fields: object) -> None:
        common = {
            "room": self.settings.room,
            "mode": self.settings.mode,
            "session": self._journal.session,
        }
        log.info(message, extra={"fields": {**fields, **common}})

    def _say_ready(self, feed: Feed | None) -> None:
        where = {} if feed is None else feed.description()
        if self._tls is not None:
            where["tls"] = self._tls.fingerprint
        if self._cluster is not None:
            where.update(self._cluster.description())
        self._log("ready", tcp=",".join(self.addresses), **where)
        self._ready.set()

    def _mode(self, parts: Parts, shared: Shared, nursery: trio.Nursery) -> Mode:
        def report_slow(connection: Connection, text: str) -> None:
            parts.endings.soon(connection, CloseReason.SLOW_READER, text)

        if self.settings.mode == "thread":
            return ThreadMode(self.settings, parts.intake, shared, report_slow, self._tls)
        receive = receiver(self.settings.busy_poll_seconds)
        return EpollMode(nursery, parts.intake, shared, report_slow, receive=receive, tls=self._tls)

    def _sources(self, parts: Parts, shared: Shared, feed: Feed | None) -> list[Source]:
        sources: list[Source] = [
            lambda: families.of_connections(parts, shared),
            lambda: families.of_the_room(self.room, parts),
            lambda: families.of_the_journal(self._journal.statistics()),
        ]
        if feed is not None:
            sources.append(lambda: families.of_the_feed(feed.statistics()))
        cluster = self._cluster
        if cluster is not None:
            sources.append(lambda: families.of_the_cluster(cluster.statistics, cluster.round_trips))
        return sources

    def _shares(self, listeners: Sequence[socket.socket]) -> Shares:
        networked = not all(is_local(listener.getsockname()) for listener in listeners)
        return Shares(self.settings.address, places=self.settings.max_clients, networked=networked)

    def _clients(
        self,
        parts: Parts,
        mode: Mode,
        figures: Figures,
        nursery: trio.Nursery,
        shares: Shares,
    ) -> Clients:
        web = self.settings.web
        site = RoomSite(
            web,
            open_figures=self.settings.open_figures,
            health=self.health,
            metrics=figures.render,
        )

        venue = Venue(
            room=self.settings.room,
            session_of=self._journal.session_of,
            since=self._since,
            replay=self.settings.irc_replay,
            accounts=self.settings.access.access is not Access.OPEN,
            secret=self.settings.access.access is Access.SECRET,
            sts_seconds=0 if self._tls is None else self.settings.irc_sts_seconds,
            port=lambda: self.port,
            people=parts.presence.people,
            knows=self._journal.knows,
        )

        def visit(peer: str, local: bool) -> Visit:
            needs_tls = self.settings.require_tls and not local
            return Visit(self._rules, peer, local, site, venue=venue, needs_tls=needs_tls)

        return Clients(parts, mode, nursery, visit, self._is_banned, shares=shares)

    def _control(self, listener: socket.socket, parts: Parts) -> Control:
        def status() -> Mapping[str, object]:
            statistics = asdict(self.statistics())
            return {"room": self.settings.room, "session": self._journal.session, **statistics}

        reach = Reach(status, self.drain, self.reload)
        return Control(listener, Administration(self.room, parts, self._rules, reach))

    def _is_banned(self, address: str) -> bool:
        room = self.room  # which mostly has none: then a newcomer is not worth a look at the clock
        return (
            room.bans_addresses and room.ban_of_address(address, self._clock.utc_now()) is not None
        )

    async def _accept(self, acceptors: Sequence[Acceptor], take: Take) -> None:
        with self._accepting:
            async with trio.open_nursery() as nursery:
                for acceptor in acceptors:
                    nursery.start_soon(acceptor.run, take)
        self._all_accepted.set()

    def _acceptors(self, listeners: Sequence[socket.socket], clients: Clients) -> list[Acceptor]:
        for listener in listeners:
            address = listener.getsockname()
            if isinstance(address, tuple):
                self.port = address[1]
            self.addresses.append(peer_name(address))
            if self._guard.access is Access.OPEN and not is_local(address):
                log.warning("everybody who reaches %s comes in: see --access", peer_name(address))
        return [Acceptor(listener, clients.refuse) for listener in listeners]
