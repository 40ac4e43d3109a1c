"""The one order of a room that is on several servers: commands go to a log, and come back from it.

What a turn decides is appended as one batch. Every server does to its room what the log says, in
that order; so what is told of a command is told when the log has given it back, its asker too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import trio

from chatroom.order.contract import EPOCH_SHIFT, MAX_CHARACTERS, MAX_COMMANDS, Done
from chatroom.order.part import UnavailableError
from chatroom.room.commands import Command, Leave, Outcome
from chatroom.room.refused import Refused
from chatroom.server.cluster.standing import Standing, changes_standing
from chatroom.server.cluster.tally import Tally
from chatroom.server.turn.ordering import Then, nothing_more
from chatroom.settings import CLUSTER_EASED_COMMANDS, CLUSTER_MOST_COMMANDS

if TYPE_CHECKING:
    from chatroom.room.room import Room
    from chatroom.server.connection import Connection
    from chatroom.server.fanout.announcer import Announcer
    from chatroom.server.fanout.telling import Teller

log = logging.getLogger("chatroom.server")

UNAVAILABLE = Outcome(
    refused=Refused("unavailable", "the room is cut off from its other servers: try again later")
)


class Log(Protocol):
    """The log, as those see it who append."""

    def append(self, commands: Sequence[Command]) -> int:
        """See `chatroom.order.shared.SharedLog.append`."""


class _Proposed:
    __slots__ = ("command", "connection", "then")

    def __init__(self, connection: Connection | None, command: Command, then: Then) -> None:
        self.connection = connection
        self.command = command
        self.then = then


class ClusteredOrder:
    """See `chatroom.server.turn.ordering.Order`.

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
        self._coming: Iterator[_Proposed] = iter(())  # the rest of the batch that comes back
        self._coming_number = 0
        self.commands = 0  #: proposed, and not back yet
        self.epoch = 0  #: this server's in the room
        self.refuses = False  #: the log has been away for so long that nothing is to wait for it
        self.standing = Standing(room)
        self.pending = Tally()  #: of what changes somebody's standing
        self.under_way = Tally()  #: of all that somebody has proposed, but for its leave
        self._eased = trio.Event()
        self._is_strained = False  # somebody waits for that

    def who(self, number: int) -> int:
        """See `Order.who`."""
        return self.epoch << EPOCH_SHIFT | number

    def propose(
        self, connection: Connection | None, command: Command, then: Then = nothing_more
    ) -> None:
        """See `Order.propose`."""
        leaves = _leaves(command)
        if not leaves and (self.refuses or self.commands >= CLUSTER_MOST_COMMANDS):
            then(UNAVAILABLE)
            return
        if leaves:
            self.standing.forget(connection)
        elif connection is not None:
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
        while self._batch:
            batch = self._batch[: self._portion()]
            try:
                number = self._log.append([proposed.command for proposed in batch])
            except UnavailableError:
                self._refuse_batch()
                return
            del self._batch[: len(batch)]
            self._under_way[number] = batch

    def _portion(self) -> int:
        """How many commands the next entry takes."""
        characters = 0
        for count, proposed in enumerate(self._batch[:MAX_COMMANDS]):
            characters += len(getattr(proposed.command, "text", ""))
            if characters > MAX_CHARACTERS and count:
                return count
        return MAX_COMMANDS

    async def wait_eased(self) -> None:
        """Wait until not too much is under way. Cancelled, nothing has changed."""
        while self.commands > CLUSTER_EASED_COMMANDS and not self.refuses:
            self._is_strained = True
            await self._eased.wait()

    def ease(self) -> None:
        """Have everybody look again who waits in `wait_eased`."""
        self._is_strained = False
        self._eased.set()
        self._eased = trio.Event()

    def tell_own(self, number: int, done: Done) -> Connection | None:
        """The next command of our batch of that number has been done: tell everybody, and its
        asker. Returns whose it was if that met a fault of ours. In a turn.
        """
        if number != self._coming_number:
            self._coming_number = number
            self._coming = iter(self._under_way.pop(number, ()))
        proposed = next(self._coming, None)
        if proposed is None:  # read once more, after the log had lost something
            self._teller.tell(None, *done)
            return None
        self._has_come()
        return self._finish(proposed, *done)

    def give_up(self) -> None:
        """What is under way will never be in the log: refuse it all. In a turn."""
        self._coming_number = 0
        batches = [*self._under_way.values(), self._batch]
        self._under_way, self._batch = {}, []
        for batch in batches:
            for proposed in batch:
                self._has_come()
                self._finish(proposed, proposed.command, UNAVAILABLE)

    def _refuse_batch(self) -> None:
        """Too much waits for the log, or this server is not in the room: all but the leaves."""
        batch, self._batch = self._batch, []
        for proposed in batch:
            if _leaves(proposed.command):
                self._batch.append(proposed)  # the next turn tries again
            else:
                self._has_come()
                self._finish(proposed, proposed.command, UNAVAILABLE)

    def _has_come(self) -> None:
        self.commands -= 1
        if self.commands <= CLUSTER_EASED_COMMANDS and self._is_strained:
            self.ease()

    def _finish(self, proposed: _Proposed, command: Command, outcome: Outcome) -> Connection | None:
        connection, faulty = proposed.connection, None
        self._teller.tell(connection, command, outcome)
        if connection is None:
            proposed.then(outcome)
            return None
        if outcome.refused is None:
            self.standing.note(connection, command, self._announcer.time)
        if connection.close_reason is None:
            try:
                proposed.then(outcome)
            except Exception:
                # As in `Dispatcher.turn`: the room goes on, which is one on all servers.
                log.exception("connection %d: fault in the server", connection.id)
                faulty = connection
        # After that: what follows from it may be pending by now.
        if not _leaves(command):
            if changes_standing(command):
                self.pending.end(connection)
            self.under_way.end(connection)
        return faulty


def _leaves(command: Command) -> bool:
    return type(command) is Leave and not command.part
