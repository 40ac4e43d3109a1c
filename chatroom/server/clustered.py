"""The one order of a room that is on several servers: commands go to a log, and come back from it.

What a turn decides is appended as one batch. Every server does to its room what the log says, in
that order; so what is told of a command is told when the log has given it back, its asker too.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import trio

from chatroom.room.commands import Command, Leave, Outcome
from chatroom.room.refused import Refused
from chatroom.server.ordering import Then, nothing_more
from chatroom.server.standing import Standing, changes_standing
from chatroom.server.tally import Tally
from chatroom.settings import CLUSTER_EASED_COMMANDS, CLUSTER_MOST_COMMANDS

if TYPE_CHECKING:
    from chatroom.room.room import Room
    from chatroom.server.announcer import Announcer
    from chatroom.server.connection import Connection
    from chatroom.server.telling import Teller

log = logging.getLogger("chatroom.server")

UNAVAILABLE = Refused("unavailable", "the room is cut off from its other servers: try again later")


class Log(Protocol):
    """The log, as those see it who append."""

    @property
    def refuses(self) -> bool:
        """It has been away for so long that nothing more is to wait for it."""

    def append(self, commands: Sequence[Command]) -> int:
        """Append a batch; its number, which comes back with it. Never waits."""


class Done(Protocol):
    """What has come of one entry of the log."""

    @property
    def counter(self) -> int | None:
        """The number of the batch, if it was ours."""

    @property
    def outcomes(self) -> Sequence[tuple[Command, Outcome]]:
        """In order; those of the batch are the last, as many as it has commands."""


class _Proposed:
    __slots__ = ("command", "connection", "then")

    def __init__(self, connection: Connection | None, command: Command, then: Then) -> None:
        self.connection = connection
        self.command = command
        self.then = then


class ClusteredOrder:
    """See `chatroom.server.ordering.Order`.

    At most `CLUSTER_MOST_COMMANDS` are under way; what is more is refused with `unavailable`, but
    for leaves, of which there is one a connection: nobody is to stay in the room who has gone.
    """

    closing = False

    def __init__(self, room: Room, teller: Teller, announcer: Announcer, log_: Log) -> None:
        self._teller = teller
        self._announcer = announcer
        self._log = log_
        self._batch: list[_Proposed] = []  # of this turn
        self._under_way: dict[int, list[_Proposed]] = {}  # by the number of their batch
        self.commands = 0  #: proposed, and not back yet
        self.standing = Standing(room)
        self.pending = Tally()  #: of what changes somebody's standing
        self.under_way = Tally()  #: of all that somebody has proposed, but for its leave
        self._eased = trio.Event()

    def propose(
        self, connection: Connection | None, command: Command, then: Then = nothing_more
    ) -> None:
        """See `Order.propose`."""
        leaves = _leaves(command)
        if not leaves and (self._log.refuses or self.commands >= CLUSTER_MOST_COMMANDS):
            then(Outcome(refused=UNAVAILABLE))
            return
        if connection is not None and not leaves:
            self.under_way.begin(connection)
            if changes_standing(command):
                self.pending.begin(connection)
        self._batch.append(_Proposed(connection, command, then))
        self.commands += 1

    def is_pending(self, connection: Connection) -> bool:
        """See `Order.is_pending`."""
        return connection in self.pending

    def close(self, time: str) -> None:
        """See `Order.close`. The room goes on, on the others."""
        self.closing = True

    def end_turn(self) -> None:
        """See `Order.end_turn`. What the turn has decided goes to the log."""
        self._announcer.end()
        if self._batch:
            batch, self._batch = self._batch, []
            number = self._log.append([proposed.command for proposed in batch])
            self._under_way[number] = batch

    async def wait_eased(self) -> None:
        """Wait until not too much is under way. Cancelled, nothing has changed."""
        while self.commands > CLUSTER_EASED_COMMANDS and not self._log.refuses:
            await self._eased.wait()

    def ease(self) -> None:
        """Have everybody look again who waits in `wait_eased`."""
        self._eased.set()
        self._eased = trio.Event()

    def take(self, done: Done) -> Sequence[Connection]:
        """Tell what has come of an entry; with whom that met a fault of ours. In a turn."""
        batch = [] if done.counter is None else self._under_way.pop(done.counter, [])
        others = len(done.outcomes) - len(batch)
        for command, outcome in done.outcomes[:others]:
            self._teller.tell(None, command, outcome)
        faults: list[Connection] = []
        for proposed, (command, outcome) in zip(batch, done.outcomes[others:], strict=True):
            self._tell_own(proposed, command, outcome, faults)
        if batch:
            self._has_come(len(batch))
        return faults

    def give_up(self, batches: Sequence[int]) -> None:
        """These will never be in the log: refuse what they asked for. In a turn."""
        for number in batches:
            batch = self._under_way.pop(number, [])
            for proposed in batch:
                refused = Outcome(refused=UNAVAILABLE)
                self._tell_own(proposed, proposed.command, refused, [])
            self._has_come(len(batch))

    @property
    def batches(self) -> Sequence[int]:
        """The numbers of those that are under way."""
        return list(self._under_way)

    def _has_come(self, commands: int) -> None:
        before, self.commands = self.commands, self.commands - commands
        if before > CLUSTER_EASED_COMMANDS >= self.commands:
            self.ease()

    def _tell_own(
        self,
        proposed: _Proposed,
        command: Command,
        outcome: Outcome,
        faults: list[Connection],
    ) -> None:
        connection = proposed.connection
        self._teller.tell(connection, command, outcome)
        if connection is None:
            proposed.then(outcome)
            return
        if outcome.refused is None:
            self.standing.note(connection, command, self._announcer.time)
        if connection.close_reason is None:
            try:
                proposed.then(outcome)
            except Exception:
                # As in `Dispatcher.turn`: the room goes on, which is one on all servers.
                log.exception("connection %d: fault in the server", connection.id)
                faults.append(connection)
        # After that: what follows from it may be pending by now.
        if not _leaves(command):
            if changes_standing(command):
                self.pending.end(connection)
            self.under_way.end(connection)


def _leaves(command: Command) -> bool:
    return isinstance(command, Leave) and not command.part
