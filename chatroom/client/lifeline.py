"""Connection after connection: one task that keeps a client in the room."""

from __future__ import annotations

from math import inf

import trio

from chatroom.client.backoff import delays
from chatroom.client.connection import Connection, Desk, Ending
from chatroom.client.errors import RoomClosed, RoomError
from chatroom.client.handshake import Entrance, enter, may_pass
from chatroom.client.standing import Disconnected

#: After these nobody comes back by itself: the server said to stay away, or one's own new
#: connection has taken over, and two that take the nick from each other would never end.
FINAL_REASONS = frozenset({"quit", "kicked", "flood", "replaced", "protocol_error"})


class Lifeline:
    """Runs connections one after the other until the room is left or lost for good.

    `closed` is then the error that everybody who still asks for something gets.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._connection: Connection | None = None
        self._leaving = False
        self.closed: RoomClosed | None = None
        self.ended = trio.Event()

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def notify(self) -> None:
        """Something is queued: the present connection sends it, or the next one will."""
        if self._connection is not None:
            self._connection.notify()

    async def open(self) -> Connection:
        """Make the first or the next connection. Raises `RoomError` if it can't be made.

        Cancelled, there is none.
        """
        desk = self._desk
        hello = desk.standing.hello(desk.ledger.lowest_unconfirmed())
        entrance = await enter(desk.wishes.host, desk.wishes.port, hello)
        return self._opened(entrance, hello.get("after"))

    def _opened(self, entrance: Entrance, asked_after: object) -> Connection:
        desk = self._desk
        connected, gap = desk.standing.welcomed(
            entrance.welcome, asked_after if isinstance(asked_after, int) else None
        )
        if connected.new_log:
            desk.ledger.forget_numbers()
        if desk.wishes.receive:
            desk.inbox.append(connected)
            if gap is not None:
                desk.inbox.append(gap)
        if gap is not None:
            desk.counts.missed += gap.last - gap.first + 1
        return Connection(desk, entrance, connected)

    async def run(self, connection: Connection) -> None:
        """Serve `connection` and those that follow it. Returns when the room is left or lost."""
        current: Connection | None = connection
        try:
            while current is not None:
                self._connection = current
                if self._leaving:
                    self.leave()
                ending = await current.run()
                self._connection = None
                self._desk.ledger.disconnected(self._desk.standing.nick)
                current = await self._next(ending)
        finally:
            self._connection = None
            if self.closed is None:
                self.closed = RoomClosed("the room was left", code="quit")
            self._desk.ledger.fail_all(self.closed)
            self._desk.inbox.close()
            self.ended.set()

    async def _next(self, ending: Ending) -> Connection | None:
        if self._leaving:
            return None
        if not self._desk.wishes.reconnect or ending.reason in FINAL_REASONS:
            self.closed = RoomClosed(ending.text, code=ending.reason)
            return None
        try:
            return await self._come_back(ending)
        except RoomError as error:
            self.closed = RoomClosed(str(error), code=error.code)
            return None

    async def _come_back(self, ending: Ending) -> Connection | None:
        """Try until it works. Raises the `RoomError` of a try that must be the last."""
        give_up_seconds = self._desk.wishes.give_up_seconds
        give_up_at = trio.current_time() + (inf if give_up_seconds is None else give_up_seconds)
        reason, text = ending.reason, ending.text
        for tries, delay in enumerate(delays()):
            if self._desk.wishes.receive:
                self._desk.inbox.append(Disconnected(reason, text, tries, delay))
            await trio.sleep(delay)
            if self._leaving:
                return None
            try:
                connection = await self.open()
            except RoomError as error:
                if not may_pass(error):
                    raise
                reason, text = error.code, str(error)
            else:
                self._desk.counts.reconnects += 1
                return connection
            if trio.current_time() >= give_up_at:
                raise RoomClosed(text, code=ending.reason)
        return None  # never reached: the delays have no end

    def leave(self) -> None:
        """Say that we go; the server then closes the connection, and `ended` is set."""
        self._leaving = True
        if self._connection is not None:
            self._desk.ledger.add("quit")
            self._connection.notify()
