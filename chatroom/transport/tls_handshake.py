"""Shaking hands as a server, in both modes: within a time, and a few at once.

A handshake is a millisecond of a core (with an RSA key; 0.4 ms with P-256). A thousand newcomers at
once must not be a second in which nobody hears the room.
"""

from __future__ import annotations

import select
import ssl
import threading
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING

import trio

from chatroom.settings import HANDSHAKE_SECONDS, HANDSHAKES_AT_ONCE
from chatroom.transport.tls import TlsTransport
from chatroom.transport.tls_threads import BlockingTlsTransport, wait_for

if TYPE_CHECKING:
    from chatroom.transport.epoll import EpollOutbox
    from chatroom.transport.threads import ThreadOutbox
    from chatroom.transport.tls_server import ServerTls


class HandshakeError(OSError):
    """The peer and we do not agree on TLS; the text says why."""


class _Step(Enum):
    DONE = "done"
    WANTS_READ = "read"
    WANTS_WRITE = "write"


class Handshakes:
    """For the epoll mode: so many steps of handshakes in one pass of the loop."""

    def __init__(self, tls: ServerTls) -> None:
        self._tls = tls
        self._places = trio.Semaphore(HANDSHAKES_AT_ONCE)

    async def secure(self, outbox: EpollOutbox) -> None:
        """Shake hands with the client of an outbox that has sent nothing; it goes over to TLS.
        Raises `HandshakeError`, or another OSError where the connection is lost. Cancelled, the
        connection is of no use any more.
        """
        transport = TlsTransport(self._tls.wrap(outbox.transport.sock))
        outbox.go_over(transport)
        with trio.move_on_after(HANDSHAKE_SECONDS):
            while (step := await self._step(transport.sock)) is not _Step.DONE:
                if step is _Step.WANTS_READ:
                    await trio.lowlevel.wait_readable(transport.sock)
                else:
                    await trio.lowlevel.wait_writable(transport.sock)
            return
        raise _too_late()

    async def _step(self, sock: ssl.SSLSocket) -> _Step:
        async with self._places:
            step = _go_on(sock)
            # In its place until the loop has come round: all others have had their turn.
            await trio.lowlevel.checkpoint()
        return step


class ThreadHandshakes:
    """For the thread mode: so many threads at once."""

    def __init__(self, tls: ServerTls) -> None:
        self._tls = tls
        self._places = threading.Semaphore(HANDSHAKES_AT_ONCE)

    def secure(self, outbox: ThreadOutbox) -> None:
        """As `Handshakes.secure`, but it blocks its thread."""
        transport = BlockingTlsTransport(self._tls.wrap(outbox.transport.sock))
        outbox.go_over(transport)
        deadline = monotonic() + HANDSHAKE_SECONDS
        while True:
            with self._places:
                step = _go_on(transport.sock)
            if step is _Step.DONE:
                return
            event = select.POLLIN if step is _Step.WANTS_READ else select.POLLOUT
            if not wait_for(transport.sock, event, deadline - monotonic()):
                raise _too_late()


def _go_on(sock: ssl.SSLSocket) -> _Step:
    try:
        sock.do_handshake()
    except ssl.SSLWantReadError:
        return _Step.WANTS_READ
    except ssl.SSLWantWriteError:
        return _Step.WANTS_WRITE
    except ssl.SSLError as error:
        raise HandshakeError(f"no TLS: {error.reason or error}") from error
    return _Step.DONE


def _too_late() -> HandshakeError:
    return HandshakeError(f"no TLS: the handshake was not done in {HANDSHAKE_SECONDS:g} seconds")
