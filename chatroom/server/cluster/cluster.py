"""This server's part in a room that is on several: what the log says is done here, and told."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from math import inf
from typing import TYPE_CHECKING

import msgspec
import trio

from chatroom.event import CloseReason, encode_event
from chatroom.order.contract import EPOCH_SHIFT, Applied, Batch, Done, Origin
from chatroom.order.part import Part, Statistics
from chatroom.order.shared import SharedLog
from chatroom.protocol import answers
from chatroom.room.commands import Join, Leave, Reserve
from chatroom.server.cluster.clustered import ClusteredOrder
from chatroom.server.cluster.numbering import Numbering, events_of
from chatroom.server.cluster.settling import SettlingEntry
from chatroom.server.counters import Histogram
from chatroom.server.turn.talk import OrderedTalk
from chatroom.settings import (
    BEHIND_SECONDS,
    CLUSTER_NOTICE_SECONDS,
    CLUSTER_PATIENCE_SECONDS,
)

if TYPE_CHECKING:
    from chatroom.journal import Journal
    from chatroom.order.replica import Replica
    from chatroom.order.store import Keeping, Store
    from chatroom.room.commands import Outcome
    from chatroom.room.room import Room
    from chatroom.server.connection import Connection
    from chatroom.server.fanout.announcer import Announcer
    from chatroom.server.fanout.telling import Teller
    from chatroom.server.parts import Parts
    from chatroom.server.turn.broadcaster import Broadcaster
    from chatroom.server.turn.hall import Hall

log = logging.getLogger("chatroom.server")

#: How often its figures are looked at.
LOOK_SECONDS = 0.25

AWAY_TEXT = "the other servers cannot be reached: what you say waits"
BACK_TEXT = "the other servers are there again"
NICK_GONE_TEXT = "this server was cut off, and somebody else has your nick now"


class Cluster:
    """See `chatroom.order.part.Hearer`, and `chatroom.server.parts.Way`.

    Until `attach` what the log says only goes to the journal: there is nobody to be told.
    """

    def __init__(self, store: Store, part: Part, journal: Journal) -> None:
        self.name = part.server
        self._journal = journal
        self._epoch = 0
        self.log = SharedLog(store, part, self)
        self.room: Room  #: the same one from `begin` on
        self.keeping: Keeping  #: what the keeper of the log promises
        self._numbering = Numbering(journal)
        self._replica: Replica
        self._order: ClusteredOrder
        self._parts: Parts | None = None
        self._in_turn = False
        self._outside: dict[Connection, None] = {}  # who is to come in again, in this order
        self.statistics: Statistics  #: as they were a moment ago
        self._away_since: float | None = None
        self._reason = ""  # why it was away last; empty: something has come back since
        self._heard_at = -inf
        self._is_told = False  # everybody is, that what they say waits
        self.round_trips = Histogram()  #: microseconds from an entry's append to its being done

    # As a way for commands

    def order(self, room: Room, teller: Teller, announcer: Announcer) -> ClusteredOrder:
        """See `Way.order`."""
        self._order = ClusteredOrder(room, teller, announcer, self.log)
        return self._order

    def talk(self, hall: Hall) -> OrderedTalk:
        """See `Way.talk`."""
        return OrderedTalk(hall)

    def entry(self, broadcaster: Broadcaster) -> SettlingEntry:
        """See `Way.entry`."""
        return SettlingEntry(broadcaster, self._order)

    def others(self) -> Sequence[str]:
        """See `Way.others`."""
        servers = self._replica.servers.values()
        return [
            address
            for server in servers
            if server.origin.server != self.name
            for address in server.addresses
        ]

    def server_of(self, who: int) -> str:
        """See `Way.server_of`."""
        epoch = who >> EPOCH_SHIFT
        servers = self._replica.servers.values()
        return next((one.origin.server for one in servers if one.origin.epoch == epoch), "")

    # The life

    def attach(self, parts: Parts) -> None:
        """From here on what the log says is told, by `parts`. `order` and the others have been
        called; nothing waits in between.
        """
        self._parts = parts
        self._order.epoch = self._epoch  # it may have entered again meanwhile
        parts.presence.start_over()
        self.statistics = self.log.statistics()

    def check(self) -> None:
        """After the first `entered`: raise `ChatroomError` if the journal is of another room."""
        self._skip_to(self.room.seq, self._replica.session)
        self._numbering.check()

    async def run(self) -> None:
        """Watch over the log, until cancelled."""
        while True:
            self._look()
            await trio.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        """Have `statistics` follow, which is read in any thread, and see if the log is there."""
        self.statistics = self.log.statistics()
        now = trio.current_time()
        away_seconds = 0.0 if self._away_since is None else now - self._away_since
        # Where there is much to do a log may be late; where nothing comes at all it hangs.
        silent_seconds = min(self.statistics.behind_seconds, now - self._heard_at)
        self._bear(max(away_seconds, silent_seconds))

    def _bear(self, seconds: float) -> None:
        """Tell everybody when the log has been away for a while, and when it is back."""
        if seconds < CLUSTER_NOTICE_SECONDS:
            if self._is_told:
                self._is_told = self._order.refuses = False
                self._notice(BACK_TEXT)
            return
        if not self._is_told:
            self._is_told = True
            self._notice(AWAY_TEXT)
        if seconds >= CLUSTER_PATIENCE_SECONDS and not self._order.refuses:
            self._order.refuses = True
            self._order.ease()

    def description(self) -> dict[str, str]:
        """What this server is in, for the log."""
        keeping = self.keeping
        survives = {
            "power": "an ack outlives a power failure",
            "process": "an ack outlives Redis' end, not a power failure",
        }.get(keeping.survives, "an ack does not outlive Redis")
        return {"server": self.name, "cluster": f"{keeping.text}: {survives}"}

    async def leave(self) -> None:
        """End this server's part in good order; waits as `SharedLog.leave`."""
        await self.log.leave()

    def health(self) -> Mapping[str, object] | None:
        """What is wrong with the way to the other servers; None: nothing. In any thread."""
        statistics = self.statistics
        if not statistics.reached:
            return {"status": "cut_off", "reason": "the room's log cannot be reached"}
        if statistics.behind_seconds > BEHIND_SECONDS:
            late = f"the room's log is {statistics.behind_seconds:.1f} s late"
            return {"status": "behind", "reason": late}
        return None

    # What the log says

    def begin(self, replica: Replica) -> None:
        """See `Hearer.begin`. The room stays the same object, which all parts have. Who was in and
        is not known there is outside, until this server enters.
        """
        if hasattr(self, "room"):
            replica.move_into(self.room)
        self.room = replica.room
        self._replica = replica
        if self._parts is not None:
            known = set(self.room.everybody())
            for connection in self._in_order(self._parts):
                if connection.inside and connection.who not in known:
                    self._put_outside(connection, self._parts)
            self._parts.presence.start_over()
        replica.tell = self._tell
        self._numbering.begin(replica)

    def hear(self, applied: Sequence[Applied]) -> None:
        """See `Hearer.hear`. It has been told already, as it was done; now it is delivered."""
        self._end_turn()

    def entered(self, origin: Origin) -> None:
        """See `Hearer.entered`. Who was in before comes in again, if its nick is free."""
        if self._parts is None:
            self._epoch = origin.epoch
            return
        self._begin_turn(self._parts)
        order = self._order
        order.epoch, order.refuses = origin.epoch, False  # the log is there: it takes comebacks
        for connection in self._parts.connections:
            connection.who = order.who(connection.id)
        outside, self._outside = self._outside, {}
        for connection in outside:
            comeback = order.standing.comeback(connection)
            if comeback is not None and connection.close_reason is None:
                self._come_back(connection, comeback)
            order.pending.end(connection)
        self._end_turn()

    def out(self) -> None:
        """See `Hearer.out`."""
        if self._parts is None:
            return
        self._begin_turn(self._parts)
        self._order.give_up()
        for connection in self._in_order(self._parts):
            self._put_outside(connection, self._parts)
        self._end_turn()

    def away(self, reason: str) -> None:
        """See `Hearer.away`."""
        if reason != self._reason:
            log.warning("the room's log cannot be reached: %s", reason)
        self._reason, self._away_since = reason, trio.current_time()

    def back(self, keeping: Keeping) -> None:
        """See `Hearer.back`."""
        self.keeping = keeping
        self._away_since = None

    def came_back(self, seconds: float) -> None:
        """See `Hearer.came_back`."""
        if self._reason:
            self._reason = ""
            log.warning("the room's log is there again")
        self._heard_at = trio.current_time()
        self.round_trips.observe(int(seconds * 1_000_000))

    def _put_outside(self, connection: Connection, parts: Parts) -> None:
        """It is not in the room; if it was, what it says waits until it is in again."""
        order = self._order
        if connection.inside:
            parts.presence.leave(connection.who)
        if connection not in self._outside and order.standing.comeback(connection) is not None:
            order.pending.begin(connection)
            self._outside[connection] = None

    @staticmethod
    def _in_order(parts: Parts) -> list[Connection]:
        return sorted(parts.connections, key=lambda connection: connection.id)

    def _come_back(self, connection: Connection, comeback: Join | Reserve) -> None:
        command = msgspec.structs.replace(comeback, who=connection.who)
        self._order.propose(
            connection, command, lambda outcome: self._has_come_back(connection, outcome)
        )

    def _has_come_back(self, connection: Connection, outcome: Outcome) -> None:
        refused, parts = outcome.refused, self._parts
        if refused is not None and parts is not None:
            text = NICK_GONE_TEXT if refused.code == "nick_taken" else refused.text
            parts.announcer.tell(connection, answers.Error(refused.code, text))
            parts.endings.end(connection, CloseReason.LOST, text, code=refused.code)

    # Telling

    def _notice(self, text: str) -> None:
        assert self._parts is not None
        with self._parts.dispatcher.extra_turn():
            self._parts.announcer.tell_all(answers.Notice(text))

    def _tell(self, batch: Batch | None, done: Done) -> None:
        """A command has been done, and the room is as it left it."""
        command, outcome = done
        event, session = outcome.event, self._replica.session
        if outcome.removed or (event and not self._numbering.hear_next(event, session)):
            outcome = self._follow(outcome)
        if self._parts is None:
            self._keep(outcome)
            return
        self._begin_turn(self._parts)
        for gone in outcome.removed:
            self._order.standing.forget(self._parts.presence.connection_or_none(gone.who))
        if batch is not None and batch.origin == self.log.origin:
            faulty = self._order.tell_own(batch.counter, Done(command, outcome))
            if faulty is not None:
                fault = CloseReason.PROTOCOL_ERROR
                self._parts.endings.end(faulty, fault, "a fault in the server")
            return
        connection = None
        if batch is None and isinstance(command, Leave):
            connection = self._parts.presence.connection_or_none(command.who)
        self._parts.teller.tell(connection, command, outcome)

    def _follow(self, outcome: Outcome) -> Outcome:
        numbering, session = self._numbering, self._replica.session
        outcome = numbering.unheard(outcome)
        first = next(events_of(outcome), None)
        if first is None:
            return outcome
        if not numbering.is_next(first.seq, session):
            self._skip_to(first.seq - 1, session)
        numbering.heard(outcome)
        return outcome

    def _keep(self, outcome: Outcome) -> None:
        events = list(events_of(outcome))
        if events and self._numbering.session:
            self._journal.append(events, [encode_event(event) for event in events], None)

    def _skip_to(self, seq: int, session: str) -> None:
        if self._parts is None:
            self._numbering.skip_to(seq, session, self._journal.skip_to)
        else:
            self._begin_turn(self._parts)
            self._numbering.skip_to(seq, session, self._parts.announcer.skip_to)

    def _begin_turn(self, parts: Parts) -> None:
        if not self._in_turn:
            self._in_turn = True
            parts.dispatcher.begin_turn()

    def _end_turn(self) -> None:
        if self._parts is not None and self._in_turn:
            self._in_turn = False
            self._parts.dispatcher.end_turn()


@asynccontextmanager
async def open_cluster(store: Store, part: Part, journal: Journal) -> AsyncIterator[Cluster]:
    """Enter the room that `part` names, and have the journal follow. At the end of the block this
    server is as good as gone, unless `Cluster.leave` came before. Raises `ChatroomError`, also in a
    group, if that cannot be.
    """
    cluster = Cluster(store, part, journal)
    async with trio.open_nursery() as nursery:
        await nursery.start(cluster.log.run)
        cluster.check()
        yield cluster
        nursery.cancel_scope.cancel()
