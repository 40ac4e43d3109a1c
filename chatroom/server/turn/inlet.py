"""The way in to the one order: a bounded memory channel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from chatroom.protocol.requests import weight_of
from chatroom.settings import BATCH_READS, BATCH_WEIGHT, CHANNEL_READS, SUBMIT_SECONDS

if TYPE_CHECKING:
    from chatroom.protocol.requests import Draft
    from chatroom.server.connection import Connection

#: Whose drafts, and the drafts.
Said = tuple["Connection | None", Sequence["Draft"]]

log = logging.getLogger("chatroom.server")


class Read:
    """What one connection has said in one go, and what to call when it has been dealt with."""

    __slots__ = ("connection", "done", "drafts")

    def __init__(
        self,
        connection: Connection | None,
        drafts: Sequence[Draft],
        done: Callable[[], None] | None,
    ) -> None:
        self.connection = connection
        self.drafts = drafts
        self.done = done


class Inlet:
    """Reads wait here for the broadcaster, in the order in which they came."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Read](CHANNEL_READS)
        self.waiting = 0  #: reads on their way through, not yet dealt with

    async def put(self, read: Read) -> None:
        """Add a read; waits while the channel is full.

        Cancelled, it is added all the same: what was read from a client is never lost half-way.
        Only if the channel stays full for `SUBMIT_SECONDS` after that it is dropped, and logged.
        Raises `trio.BrokenResourceError` if the broadcaster has ended.
        """
        self.waiting += 1
        try:
            self._send.send_nowait(read)
        except trio.WouldBlock:
            await self._wait_to_send(read)

    def put_nowait(self, read: Read) -> bool:
        """As `put`; False: the channel is full, or the broadcaster has ended."""
        try:
            self._send.send_nowait(read)
        except (trio.WouldBlock, trio.BrokenResourceError):
            return False
        self.waiting += 1
        return True

    async def _wait_to_send(self, read: Read) -> None:
        try:
            await self._send.send(read)
        except trio.Cancelled:
            with trio.move_on_after(SUBMIT_SECONDS, shield=True) as patience:
                await self._send.send(read)
            if patience.cancelled_caught:
                self.waiting -= 1
                who = read.connection.id if read.connection is not None else 0
                log.error(  # noqa: TRY400 - a cancellation is no fault
                    "connection %d: the room is stuck, what it said last is lost", who
                )
            raise

    def wake(self) -> None:
        """Have a turn taken soon although no client asked for anything."""
        if not self.waiting:
            self.waiting += 1
            self._send.send_nowait(Read(None, (), None))

    async def wait_first(self) -> Read:
        """Wait for the next read. Cancelled, none is taken."""
        return await self._receive.receive()

    def gather(self, first: Read) -> list[Read]:
        """A batch: `first`, then everything else that waits, within the bounds of one turn."""
        batch = [first]
        weight = sum(map(weight_of, first.drafts))
        try:
            while len(batch) < BATCH_READS and weight < BATCH_WEIGHT:
                read = self._receive.receive_nowait()
                batch.append(read)
                weight += sum(map(weight_of, read.drafts))
        except trio.WouldBlock:
            pass
        return batch

    def close(self) -> None:
        """Nothing more is taken; who still puts something gets BrokenResourceError."""
        self._receive.close()
