"""The way in to the one order: a bounded memory channel, a batch at a time."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import trio

from chatroom.protocol.requests import QUERY_KINDS, Draft, Request
from chatroom.settings import BATCH_READS, CHANNEL_READS, SUBMIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trio_typing import TaskStatus

    from chatroom.server.connection import Connection
    from chatroom.server.dispatcher import Dispatcher

#: A task that reads may broadcast by itself when the last broadcast ended at least this long ago.
#: Tasks that Trio runs in one turn of its loop follow each other within some 10 µs, a lone talker's
#: next line comes after some 60.
QUIET_SECONDS = 20e-6

#: One read's drafts, and what to set when they have been dealt with.
Read = tuple["Connection | None", "Sequence[Draft]", "trio.Event | None"]


class Broadcaster:
    """Takes drafts from the connections and has them dispatched, batch by batch.

    A batch is what waits: the first read, then everything else that is there already. `submit` is
    the only way in, so the order of the room is one order.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._send, self._receive = trio.open_memory_channel[Read](CHANNEL_READS)
        self._waiting = 0  # reads on their way through the channel, not yet dealt with
        self._last_batch_reads = 1
        self._last_turn_ended = 0.0
        dispatcher.wake = self._wake

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Broadcast until cancelled. Connections that submit after that get BrokenResourceError."""
        with self._receive as receive:
            task_status.started()
            while True:
                batch = [await receive.receive()]
                try:
                    while len(batch) < BATCH_READS:
                        batch.append(receive.receive_nowait())
                except trio.WouldBlock:
                    pass
                self._take_turn(batch)
                self._waiting -= len(batch)

    async def submit(self, connection: Connection, drafts: Sequence[Draft]) -> None:
        """Hand over one read's drafts; waits while the channel is full.

        Returns when they are in the one order or, where the last one is a query, when it has been
        answered. If this is cancelled the drafts are in the order all the same: what was read from
        a client is never lost half-way. Raises `trio.BrokenResourceError` if the broadcaster has
        ended, and must not be called with no drafts.

        The fast path: in a room where nothing waits, the hop through the channel is a quarter of a
        message's way (171 µs against 132 from talker to reader at one in flight), and a batch of
        one needs no channel. So the task that read takes the broadcaster's turn itself. It may not
        while something waits, which would be overtaken, nor right after another turn or while
        batches are larger than one read: then others talk too, and one batch for all is cheaper.
        """
        last = drafts[-1]
        query = last if type(last) is Request and last.kind in QUERY_KINDS else None
        done = trio.Event() if query is not None else None
        read = (connection, drafts, done)
        if (
            not self._waiting
            and self._last_batch_reads == 1
            and perf_counter() - self._last_turn_ended > QUIET_SECONDS
        ):
            self._take_turn([read])
        else:
            await self._enqueue(read)
        if query is not None and done is not None:
            await done.wait()
            await self._dispatcher.answer_history(connection, query)

    async def _enqueue(self, read: Read) -> None:
        self._waiting += 1
        try:
            self._send.send_nowait(read)
        except trio.WouldBlock:
            with trio.move_on_after(SUBMIT_SECONDS, shield=True) as patience:
                await self._send.send(read)
            if patience.cancelled_caught:
                self._waiting -= 1

    def _wake(self) -> None:
        """Take a turn soon although no client asked for anything."""
        if not self._waiting:
            self._waiting += 1
            self._send.send_nowait((None, (), None))

    def _take_turn(self, batch: Sequence[Read]) -> None:
        self._dispatcher.turn(batch)
        for _, _, done in batch:
            if done is not None:
                done.set()
        self._last_batch_reads = len(batch)
        self._last_turn_ended = perf_counter()
