"""Turning newcomers away: with one line, in their own format where that can be had cheaply."""

from __future__ import annotations

import contextlib
import logging
import socket
from typing import TYPE_CHECKING

import trio

from chatroom.protocol.last_line import last_line, plain_last_line
from chatroom.settings import MAX_LINE_BYTES, TURN_AWAY_SECONDS, TURNING_AWAY
from chatroom.transport.epoll import linger, receive, receive_nowait
from chatroom.transport.stream import SocketTransport

if TYPE_CHECKING:
    from chatroom.server.fairness.shares import Barred

log = logging.getLogger("chatroom.server")

#: The log says no more often that somebody is turned away; the figures count each.
_COMPLAINT_SECONDS = 10.0


class TurningAway:
    """Says why and closes, in Trio's loop in both modes, and without a session, a thread or a place
    in the room. `counts` has how many were turned away, by reason.
    """

    def __init__(self, nursery: trio.Nursery, counts: dict[str, int]) -> None:
        """`nursery`: of a task for each who is waited for."""
        self._nursery = nursery
        self._counts = counts
        self._waiting = 0
        self._complained_at = -_COMPLAINT_SECONDS

    def turn_away(self, sock: socket.socket, peer: str, barred: Barred) -> None:
        """Tell a newcomer, who may have to say first which format it speaks. Never blocks or
        raises.
        """
        self._note(peer, barred)
        sock.setblocking(False)
        transport = SocketTransport(sock)
        try:
            head = receive_nowait(transport)
        except OSError:
            sock.close()
            return
        said = last_line(head or b"", barred)
        if said is None and head != b"" and self._waiting < TURNING_AWAY:
            self._waiting += 1
            self._nursery.start_soon(self._hear_out, transport, head or b"", barred)
        else:
            _say_last(transport, said or plain_last_line(barred))

    def at_once(self, sock: socket.socket, barred: Barred) -> None:
        """As `turn_away`, and its descriptor is free again at once. The log is the caller's."""
        self._counts[barred.reason] += 1
        sock.setblocking(False)
        _say_last(SocketTransport(sock), plain_last_line(barred))

    async def _hear_out(self, transport: SocketTransport, head: bytes, barred: Barred) -> None:
        said = None
        try:
            with contextlib.suppress(OSError), contextlib.closing(transport):
                with trio.move_on_after(TURN_AWAY_SECONDS):
                    while said is None and (chunk := await receive(transport)):
                        head = (head + chunk)[: 2 * MAX_LINE_BYTES].lstrip(b"\r\n")
                        said = last_line(head, barred)
                transport.send(said or plain_last_line(barred))
                await linger(transport)
        finally:
            self._waiting -= 1

    def _note(self, peer: str, barred: Barred) -> None:
        self._counts[barred.reason] += 1
        now = trio.current_time()
        if now - self._complained_at >= _COMPLAINT_SECONDS:
            self._complained_at = now
            log.warning("newcomers are turned away, %s the latest: %s", peer, barred.reason)


def _say_last(transport: SocketTransport, line: bytes) -> None:
    with contextlib.suppress(OSError):  # it has gone already
        transport.send(line)
        transport.shut_write()
    transport.close()
