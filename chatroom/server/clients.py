"""All clients' connections: newcomers are taken in, served until they end, and forgotten."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from chatroom.event import CloseReason
from chatroom.protocol.requests import Ending
from chatroom.server.acceptor import refuse
from chatroom.server.connection import Connection
from chatroom.transport.sockets import peer_address

if TYPE_CHECKING:
    from chatroom.protocol.session import Visit
    from chatroom.server.modes import Mode
    from chatroom.server.parts import Parts

log = logging.getLogger("chatroom.server")


class Clients:
    """The connections of one server."""

    def __init__(  # noqa: PLR0913 - each comes from another part of the server
        self,
        parts: Parts,
        mode: Mode,
        nursery: trio.Nursery,
        visit: Callable[[str, bool], Visit],
        turn_away: Callable[[str], bytes],
        *,
        limit: int,
    ) -> None:
        """`nursery`: of a task for each. `visit` makes what a session knows of a peer, by its name
        for the log and whether it is on this machine. `turn_away` gives a last line for those from
        an address that is not to come in, and nothing for all others. With `limit` connections it
        is full.
        """
        self._parts = parts
        self._mode = mode
        self._nursery = nursery
        self._visit = visit
        self._turn_away = turn_away
        self._limit = limit
        self._leaving: set[Connection] = set()
        self._all_gone = trio.Event()

    def take(self, sock: socket.socket, peer: str, local: bool) -> None:
        """Serve a newcomer. Never blocks or raises."""
        address = peer_address(peer)
        turned_away = self._turn_away(address)
        if turned_away:
            refuse(sock, turned_away)
            return
        counters = self._parts.counters
        counters.accepted += 1
        kind = "unix" if sock.family == socket.AF_UNIX else "tcp"
        connection = Connection(counters.accepted, peer, kind)
        connection.address, connection.local = address, local
        self._mode.attach(sock, connection)
        self._parts.connections.add(connection)
        visit = self._visit(peer, local)
        connection.needs_tls = visit.needs_tls
        self._nursery.start_soon(self._serve, connection, visit)

    def is_full(self) -> bool:
        """Who has been said goodbye to and only reads its last lines is not counted."""
        staying = self._parts.counters.accepted - self._parts.endings.counts.total()
        return staying >= self._limit

    async def end_all(self) -> None:
        """Take nothing more from any of them, and wait until all have ended. Who comes after that
        is still answered, but not let in: who asks for the server's health is told that it drains.
        """
        leaving = self._leaving = set(self._parts.connections)
        for connection in leaving:
            connection.stop_reading()
        if leaving:
            await self._all_gone.wait()

    async def _serve(self, connection: Connection, visit: Visit) -> None:
        """The one exception boundary of a connection: what gets here is a fault of ours, and ends
        this connection alone.
        """
        try:
            await self._mode.serve(connection, visit)
        except* trio.BrokenResourceError:
            pass  # the broadcaster has ended before it: the server is being stopped at once
        except* Exception:
            log.exception("connection %d: fault in the server", connection.id)
            ending = Ending(CloseReason.PROTOCOL_ERROR, "a fault in the server")
            await self._parts.intake.take(connection, [ending])
        finally:
            self._forget(connection)
            self._parts.counters.ended_received_bytes += connection.received_bytes

    def _forget(self, connection: Connection) -> None:
        self._parts.connections.discard(connection)
        if connection in self._leaving:
            self._leaving.discard(connection)
            if not self._leaving:
                self._all_gone.set()
