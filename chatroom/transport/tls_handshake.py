"""Shaking hands as a server, in both modes: within a time, and a few at once. Where the server
knows certificates of clients, the ClientHello is looked at before OpenSSL reads it.

A handshake is a millisecond of a core (with an RSA key; 0.4 ms with P-256). A thousand newcomers at
once must not be a second in which nobody hears the room.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING

import trio

from chatroom.settings import HANDSHAKE_SECONDS, HANDSHAKES_AT_ONCE
from chatroom.transport.client_hello import HEADER_BYTES, record_bytes
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

    async def secure(self, outbox: EpollOutbox) -> str:
        """Shake hands with the client of an outbox that has sent nothing; it goes over to TLS.
        Returns the fingerprint of the certificate that it has shown, if that is a known one; else
        it is empty. Raises `HandshakeError`, or another OSError where the connection is lost.
        Cancelled, the connection is of no use any more.
        """
        with trio.move_on_after(HANDSHAKE_SECONDS):
            sock = outbox.transport.sock
            hello = b"" if self._tls.asking is None else await _peek_hello(sock)
            transport = TlsTransport(self._tls.wrap(sock, hello))
            outbox.go_over(transport)
            while (step := await self._step(transport.sock)) is not _Step.DONE:
                if step is _Step.WANTS_READ:
                    await trio.lowlevel.wait_readable(transport.sock)
                else:
                    await trio.lowlevel.wait_writable(transport.sock)
            return self._tls.shown_by(transport.sock)
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

    def secure(self, outbox: ThreadOutbox) -> str:
        """As `Handshakes.secure`, but it blocks its thread."""
        deadline = monotonic() + HANDSHAKE_SECONDS
        sock = outbox.transport.sock
        hello = b"" if self._tls.asking is None else _peek_hello_by(sock, deadline)
        transport = BlockingTlsTransport(self._tls.wrap(sock, hello))
        outbox.go_over(transport)
        while True:
            with self._places:
                step = _go_on(transport.sock)
            if step is _Step.DONE:
                return self._tls.shown_by(transport.sock)
            event = select.POLLIN if step is _Step.WANTS_READ else select.POLLOUT
            if not wait_for(transport.sock, event, deadline - monotonic()):
                raise _too_late()


async def _peek_hello(sock: socket.socket) -> bytes:
    """The record with which a client begins, which stays where it is. Cut short where its end does
    not come: the stream has ended, or it is a Unix socket, where any byte wakes.
    """
    return await _peek(sock, record_bytes(await _peek(sock, HEADER_BYTES)))


async def _peek(sock: socket.socket, size_bytes: int) -> bytes:
    with _waking_at(sock, size_bytes):
        await trio.lowlevel.wait_readable(sock)
        return _look(sock, size_bytes)


def _peek_hello_by(sock: socket.socket, deadline: float) -> bytes:
    """As `_peek_hello`, but it blocks its thread."""
    return _peek_by(sock, record_bytes(_peek_by(sock, HEADER_BYTES, deadline)), deadline)


def _peek_by(sock: socket.socket, size_bytes: int, deadline: float) -> bytes:
    with _waking_at(sock, size_bytes):
        if not wait_for(sock, select.POLLIN, deadline - monotonic()):
            raise _too_late()
        return _look(sock, size_bytes)


@contextmanager
def _waking_at(sock: socket.socket, size_bytes: int) -> Iterator[None]:
    """Fewer bytes make nobody wake who waits to read: what is looked at stays where it is, and
    would wake again and again.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size_bytes)
    try:
        yield
    finally:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


def _look(sock: socket.socket, size_bytes: int) -> bytes:
    return sock.recv(size_bytes, socket.MSG_PEEK | socket.MSG_DONTWAIT)


def _go_on(sock: ssl.SSLSocket) -> _Step:
    try:
        sock.do_handshake()
    except ssl.SSLWantReadError:
        return _Step.WANTS_READ
    except ssl.SSLWantWriteError:
        return _Step.WANTS_WRITE
    except ssl.SSLCertVerificationError as error:
        text = f"no TLS: a certificate that no account has, or of no use ({error.verify_message})"
        raise HandshakeError(text) from error
    except ssl.SSLError as error:
        raise HandshakeError(f"no TLS: {error.reason or error}") from error
    return _Step.DONE


def _too_late() -> HandshakeError:
    return HandshakeError(f"no TLS: the handshake was not done in {HANDSHAKE_SECONDS:g} seconds")
