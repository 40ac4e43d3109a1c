"""Connection after connection: one task that keeps a client in the room."""

from __future__ import annotations

import trio
from msgspec import UnsetType, structs

from chatroom.client.backoff import Outage
from chatroom.client.connection import Connection, Ending
from chatroom.client.errors import NickTaken, RoomClosed, RoomError
from chatroom.client.handshake import HANDSHAKE_SECONDS, Entered, enter
from chatroom.client.items import Disconnected
from chatroom.client.outlook import is_final, is_its_own, may_pass
from chatroom.client.state import ClientState
from chatroom.client.transport.address import Address

#: Where there is another server to try, the first tries have this long, and each round of them
#: twice as long as the one before: one that hangs is not waited for, one that is slow is.
ONE_OF_SEVERAL_SECONDS = 2.5


class Reconnector:
    """Runs connections one after the other until the room is left or lost for good.

    `closed` is then the error that everybody who still asks for something gets.
    """

    def __init__(self, state: ClientState) -> None:
        self._state = state
        self._outage = Outage(state.options.give_up_seconds)
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

    async def open(self, tries: int = 1) -> Connection:
        """Make the first or the next connection, to the first server that takes one in; `tries`
        were made. Raises `RoomError` if it can't be made.

        Cancelled, there is none.
        """
        servers, refused = self._state.servers, list[RoomError]()
        seconds = HANDSHAKE_SECONDS
        if len(servers) > 1:
            seconds = min(seconds, ONE_OF_SEVERAL_SECONDS * 2.0**tries)
        for address in servers.round():
            try:
                return await self._open_at(address, seconds)
            except RoomError as error:
                if not is_its_own(error):
                    raise
                refused.append(error)
        raise _refused_by_all(refused)

    async def _open_at(self, address: Address, seconds: float) -> Connection:
        try:
            return await self._enter(address, seconds)
        except NickTaken:
            if not self._state.resume.try_alternative():
                raise
            return await self._enter(address, seconds)

    async def _enter(self, address: Address, seconds: float) -> Connection:
        state = self._state
        hello = state.resume.hello(state.pending.lowest_unconfirmed())
        entered = await enter(address, hello, seconds)
        state.servers.entered(address)
        if not isinstance(entered.welcome.servers, UnsetType):
            state.servers.learn(entered.welcome.servers, here=entered.transport.here)
        return self._opened(entered, str(address), hello.get("after"))

    def _opened(self, entered: Entered, where: str, asked_after: object) -> Connection:
        state = self._state
        connected, gap = state.resume.welcomed(
            entered.welcome, asked_after if isinstance(asked_after, int) else None
        )
        connected = structs.replace(connected, server=where)
        if connected.new_log:
            state.pending.forget_numbers()
        if state.options.receive:
            state.inbox.append(connected)
            if gap is not None:
                state.inbox.append(gap)
        if gap is not None:
            state.counts.missed += gap.last - gap.first + 1
        self._connection = Connection(state, entered, connected)
        return self._connection

    async def run(self, connection: Connection) -> None:
        """Serve `connection` and those that follow it. Returns when the room is left or lost.

        Cancelled, whoever still waits for an answer gets `RoomClosed`.
        """
        current: Connection | None = connection
        try:
            while current is not None:
                ending = await self._serve(current)
                current = await self._next(ending)
        finally:
            self._connection = None
            if self.closed is None:
                self.closed = RoomClosed("the room was left", code="quit")
            self._state.pending.fail_all(self.closed)
            self._state.inbox.close()
            self.ended.set()

    async def _serve(self, connection: Connection) -> Ending:
        state = self._state
        began = trio.current_time()
        if self._leaving:
            self.leave()
        ending = await connection.run()
        self._connection = None
        state.pending.disconnected(state.resume.nick)
        state.resume.broke(state.pending.unconfirmed_rename)
        now = trio.current_time()
        self._outage.broke(now, now - began)
        return ending

    async def _next(self, ending: Ending) -> Connection | None:
        if self._leaving:
            return None
        if not self._state.options.reconnect or is_final(ending.reason):
            self.closed = RoomClosed(ending.text, code=ending.reason)
            return None
        try:
            return await self._come_back(ending)
        except RoomError as error:
            self.closed = RoomClosed(str(error), code=error.code)
            return None

    async def _come_back(self, ending: Ending) -> Connection | None:
        """Try until it works. Raises the `RoomError` of a try that must be the last."""
        reason, text, tries = ending.reason, ending.text, 0
        # A server that is being stopped has said goodbye: those that stay wait for its clients.
        servers = self._state.servers
        at_once = reason == "shutdown" and len(servers) > 1
        while (delay := self._outage.next_delay(trio.current_time())) is not None:
            if at_once and not tries:
                delay = 0.0
            if self._state.options.receive:
                self._state.inbox.append(Disconnected(reason, text, tries, delay, len(servers)))
            await trio.sleep(delay)
            if self._leaving:
                return None
            try:
                with trio.move_on_at(self._outage.give_up_at):
                    connection = await self.open(tries)
                    self._state.counts.reconnects += 1
                    return connection
            except RoomError as error:
                if not may_pass(error):
                    raise
                reason, text = error.code, str(error)
            tries += 1
        raise RoomClosed(text, code=ending.reason)

    def leave(self) -> None:
        """Say that we go; the server then closes the connection, and `ended` is set."""
        self._leaving = True
        if self._connection is not None:
            self._state.pending.add("quit", {}, placed=False)
            self._connection.notify()


def _refused_by_all(refused: list[RoomError]) -> RoomError:
    """One error for a round of tries: one that a later round may overcome, if there is any."""
    chosen = next(filter(may_pass, refused), refused[-1])
    if len(refused) > 1:
        return type(chosen)("; ".join(map(str, refused)), code=chosen.code)
    return chosen
