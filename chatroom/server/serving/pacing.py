"""The room as it is taken to slowly: what comes too fast waits at the edge, and is not read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

from chatroom.event import CloseReason
from chatroom.protocol.answers import Slowed
from chatroom.protocol.requests import Answered
from chatroom.room.nick import parse_nick
from chatroom.room.role import Role
from chatroom.server.counters import SLOWED
from chatroom.server.fairness.ceiling import Ceiling
from chatroom.server.fairness.pace import TALK, Limits, Pace, sort_of
from chatroom.server.serving.conversation import Entry, Intake
from chatroom.settings import CROWDED_SECONDS, RateSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chatroom.protocol.requests import Draft
    from chatroom.room.room import Room
    from chatroom.server.connection import Connection
    from chatroom.server.counters import Counters
    from chatroom.server.fanout.farewell import Farewell
    from chatroom.server.turn.endings import Endings
    from chatroom.server.turn.gate import Gate
    from chatroom.server.turn.queries import Queries
    from chatroom.transport.outbox import Congestion


class Exempt:
    """To whom the room's ceiling does not apply."""

    def __init__(self, room: Room, nicks: Sequence[str]) -> None:
        self._room = room
        self._keys = {parse_nick(nick)[1] for nick in nicks}

    def __contains__(self, connection: Connection) -> bool:
        if not connection.inside:
            return False
        room, who = self._room, connection.who
        if room.role(who) is Role.OPERATOR:
            return True
        if not self._keys:
            return False
        # A name alone proves nothing: anybody may have taken it who is not on this machine.
        named = connection.local and parse_nick(room.nick(who))[1] in self._keys
        return named or room.account(who) in self._keys


class Tolls:
    """Takes tokens for drafts, and tells who has too few. Synchronous."""

    def __init__(
        self, settings: RateSettings, exempt: Exempt, endings: Endings, counters: Counters
    ) -> None:
        per_second = settings.ceiling_per_second
        self._limits = Limits(settings)
        self._ceiling = Ceiling(per_second) if per_second else None
        self._patience_seconds = settings.patience_seconds
        self._exempt = exempt
        self._endings = endings
        self._counters = counters

    def take(self, connection: Connection, pace: Pace, drafts: Sequence[Draft], start: int) -> int:
        """Take tokens for what can go at once from `start` on; where that ends."""
        if pace.let_go:
            return len(drafts)
        now, limits, ceiling = trio.current_time(), self._limits, self._ceiling
        if ceiling is not None and connection in self._exempt:
            ceiling = None
        for index in range(start, len(drafts)):
            draft = drafts[index]
            sort = sort_of(draft)
            if sort is None:
                continue
            if limits.ready_at(pace, sort) > now:
                return index
            if sort == TALK and ceiling is not None and not ceiling.take_nowait(now):
                return index
            limits.take(pace, draft, sort, now)
        return len(drafts)

    def lacking(self, connection: Connection, pace: Pace, draft: Draft) -> Slowed | None:
        """`draft` has to wait: what its client is to be told of that. Who has been pushing for too
        long is ended soon.
        """
        sort, now = sort_of(draft), trio.current_time()
        if sort is None:
            return None
        if self._limits.ready_at(pace, sort) <= now:
            return self._crowded(pace, now)
        if pace.pushing_since is None:
            pace.pushing_since = now
        elif now - pace.pushing_since > self._patience_seconds:
            text = f"you have pushed for more than {self._patience_seconds:g} seconds"
            self._endings.soon(connection, CloseReason.FLOOD, text)
            return None
        if pace.told[sort]:
            return None
        pace.told[sort] = True
        return self._slowed(self._limits.rates[sort].per_second, SLOWED[sort])

    def _crowded(self, pace: Pace, now: float) -> Slowed | None:
        """It waits for the room's ceiling, which is not its fault: it is not ended for that, and
        only told when it lasts.
        """
        if pace.crowded_since is None:
            pace.crowded_since = now
        if now - pace.crowded_since < CROWDED_SECONDS:
            return None
        pace.crowded_since = math.inf  # once a spell
        assert self._ceiling is not None
        return self._slowed(self._ceiling.per_second, "room")

    def _slowed(self, per_second: float, of: str) -> Slowed:
        self._counters.slowed[of] += 1
        return Slowed(int(per_second) if per_second == int(per_second) else per_second, of)

    async def wait(self, connection: Connection, pace: Pace, draft: Draft) -> None:
        """Wait until `draft` can go, and take its token. Cancelled, none of its own is taken."""
        sort = sort_of(draft)
        assert sort is not None  # what is free does not wait
        await trio.sleep_until(self._limits.ready_at(pace, sort))
        if sort == TALK and self._ceiling is not None and connection not in self._exempt:
            await self._ceiling.take()
        self._limits.take(pace, draft, sort, trio.current_time())


class PacedIntake(Intake):
    """Takes from each connection no more than it may say, and from all no more than the room can
    hear. Until then it does not return, so that nothing more is read: what waits is one read.
    """

    def __init__(  # noqa: PLR0917, PLR0913 - the intake's, and the tolls
        self,
        entry: Entry,
        queries: Queries,
        gate: Gate,
        congestion: Congestion,
        farewell: Farewell,
        tolls: Tolls,
        counters: Counters,
    ) -> None:
        super().__init__(entry, queries, gate, congestion, farewell)
        self._tolls = tolls
        self._counters = counters
        self._waiting: dict[Connection, trio.CancelScope] = {}

    async def take(
        self, connection: Connection, drafts: Sequence[Draft], *, more: bool = False
    ) -> None:
        """As `Intake.take`. Cancelled, all drafts are in the order, at once."""
        pace = _pace_of(connection)
        end = self._tolls.take(connection, pace, drafts, 0)
        if end == len(drafts):
            await super().take(connection, drafts, more=more)
        else:
            await self._take_slowly(connection, drafts, end, more=more)
        if pace.spell and not more and not connection.has_more():
            pace.rest()

    def take_nowait(
        self, connection: Connection, drafts: Sequence[Draft], done: Callable[[], None]
    ) -> bool:
        """As `Intake.take_nowait`."""
        end = self._tolls.take(connection, _pace_of(connection), drafts, 0)
        return end == len(drafts) and super().take_nowait(connection, drafts, done)

    def let_go(self, connection: Connection) -> None:
        _pace_of(connection).let_go = True
        scope = self._waiting.get(connection)
        if scope is not None:
            scope.cancel()

    async def _take_slowly(
        self, connection: Connection, drafts: Sequence[Draft], end: int, *, more: bool
    ) -> None:
        """Take the drafts in pieces; the first one, which may be none, ends before `end`."""
        pace, taken, count = _pace_of(connection), 0, len(drafts)
        try:
            while True:
                if end > taken:
                    piece, taken = drafts[taken:end], end
                    await super().take(connection, piece, more=more or end < count)
                if end == count:
                    return
                await self._wait(connection, pace, drafts[end])
                end = self._tolls.take(connection, pace, drafts, end + 1)
        except trio.Cancelled:
            if taken < count:
                # Cancelled itself, it puts them in the order and waits for nothing: with a shield
                # an answer would be waited for that does not come when the server stops at once.
                await self._entry.submit(connection, drafts[taken:])  # noqa: ASYNC102
            raise

    async def _wait(self, connection: Connection, pace: Pace, draft: Draft) -> None:
        slowed = self._tolls.lacking(connection, pace, draft)
        if slowed is not None:
            # By the one order, so that it comes behind whatever it has said before.
            await self._entry.submit(connection, [Answered(slowed)])
        if pace.let_go:  # meanwhile: nobody would wake it
            return
        self._counters.held_back += 1
        try:
            with trio.CancelScope() as self._waiting[connection]:
                await self._tolls.wait(connection, pace, draft)
        finally:
            self._counters.held_back -= 1
            del self._waiting[connection]


def _pace_of(connection: Connection) -> Pace:
    if connection.pace is None:
        connection.pace = Pace()
    return connection.pace
