"""All clients' connections: newcomers are taken in, served until they end, and forgotten."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from chatroom.access.place import place_of
from chatroom.event import CloseReason
from chatroom.protocol.requests import Ending
from chatroom.server.connection import Connection
from chatroom.server.fairness.shares import BANNED, EXHAUSTED, FULL
from chatroom.server.serving.turning_away import TurningAway
from chatroom.transport.sockets import peer_address

if TYPE_CHECKING:
    from chatroom.protocol.session import Visit
    from chatroom.server.fairness.shares import Barred, Shares
    from chatroom.server.parts import Parts
    from chatroom.server.serving.modes import Mode

log = logging.getLogger("chatroom.server")


class Clients:
    """The connections of one server."""

    def __init__(  # noqa: PLR0913 - each comes from another part of the server
        self,
        parts: Parts,
        mode: Mode,
        nursery: trio.Nursery,
        visit: Callable[[str, bool], Visit],
        is_banned: Callable[[str], bool],
        *,
        shares: Shares,
    ) -> None:
        """`nursery`: of a task for each that is served. `visit` makes what a session knows of a
        peer, by its name for the log and whether it is on this machine. From an address that
        `is_banned`, and beyond its share, nobody comes in.
        """
        self._parts = parts
        self._mode = mode
        self._nursery = nursery
        self._visit = visit
        self._is_banned = is_banned
        self._shares = shares
        self._turning_away = TurningAway(nursery, parts.counters.turned_away)
        self._leaving: set[Connection] = set()
        self._all_gone = trio.Event()

    def take(self, sock: socket.socket, peer: str, local: bool) -> None:
        """Serve a newcomer, or turn it away. Never blocks. After a `MemoryError` nothing is known
        of it.
        """
        address = peer_address(peer)
        place = place_of(address)
        barred = self._bar(address, place)
        if barred is not None:
            self._turning_away.turn_away(sock, peer, barred)
            return
        counters = self._parts.counters
        kind = "unix" if sock.family == socket.AF_UNIX else "tcp"
        connection = Connection(counters.accepted + 1, peer, kind)
        connection.who = self._parts.order.who(connection.id)
        connection.address, connection.place, connection.local = address, place, local
        visit = self._visit(peer, local)
        connection.needs_tls = visit.needs_tls
        self._mode.attach(sock, connection)
        self._shares.hold(place)
        counters.accepted = connection.id
        try:
            self._parts.connections.add(connection)
            if not self._mode.greet(connection, visit):
                self._nursery.start_soon(self._serve, connection, visit)
        except MemoryError:
            counters.accepted -= 1  # it was never there
            self._forget(connection)
            raise

    def wake(self, connection: Connection) -> None:
        """Go on serving one that was quiet."""
        self._nursery.start_soon(self._serve, connection, None)

    def refuse(self, sock: socket.socket) -> None:
        """Turn a newcomer away for whom there is no descriptor. Never blocks or raises."""
        self._turning_away.at_once(sock, EXHAUSTED)

    def _bar(self, address: str, place: str) -> Barred | None:
        # Who has been said goodbye to and only reads its last lines is not counted.
        staying = self._parts.counters.accepted - self._parts.endings.counts.total()
        # The shares first, which count each try: a ban is looked for among a thousand.
        barred = self._shares.bar(place, staying, trio.current_time())
        if barred is None or barred.code == FULL.code:
            return BANNED if self._is_banned(address) else barred
        return barred

    async def end_all(self) -> None:
        """Take nothing more from any of them, and wait until all have ended. Who comes after that
        is still answered, but not let in: who asks for the server's health is told that it drains.
        """
        leaving = self._leaving = set(self._parts.connections)
        for connection in leaving:
            connection.stop_reading()
        if leaving:
            await self._all_gone.wait()

    async def _serve(self, connection: Connection, visit: Visit | None) -> None:
        """The one exception boundary of a connection: what gets here is a fault of ours, and ends
        this connection alone.
        """
        has_ended = True
        try:
            has_ended = await self._mode.serve(connection, visit)
        except* trio.BrokenResourceError:
            pass  # the broadcaster has ended before it: the server is being stopped at once
        except* Exception:
            with suppress(MemoryError):  # of the log
                log.exception("connection %d: fault in the server", connection.id)
            ending = Ending(CloseReason.PROTOCOL_ERROR, "a fault in the server")
            await self._parts.intake.end(connection, ending)
        finally:
            if has_ended:
                self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        self._parts.counters.ended_received_bytes += connection.received_bytes
        self._parts.connections.discard(connection)
        self._shares.release(connection.place)
        if connection in self._leaving:
            self._leaving.discard(connection)
            if not self._leaving:
                self._all_gone.set()
