"""Taking newcomers in: in batches, within the limits, and without descriptors if need be."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Callable

import trio

from chatroom.errors import ChatroomError
from chatroom.server.sockets import peer_name, prepare_listener
from chatroom.settings import ACCEPT_BACKLOG, ACCEPT_BATCH

log = logging.getLogger("chatroom.server")

#: Out of descriptors or memory: not the fault of the newcomer, and not of those inside.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

#: Pause when nothing can be accepted and nothing refused either: the listener stays readable, and
#: without it the loop would spin.
_EXHAUSTED_PAUSE_SECONDS = 0.05

FULL_LINE = b"-- the room is full (room_full)\n"


async def open_listeners(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`, non-blocking, all on one port.

    Port 0 lets the system choose. Raises `ChatroomError` with a line for the user.
    """
    try:
        listeners = await trio.open_tcp_listeners(port, host=host, backlog=ACCEPT_BACKLOG)
        if port == 0 and len(listeners) > 1:  # each has got a port of its own
            chosen = listeners[0].socket.getsockname()[1]
            for listener in listeners:
                await listener.aclose()
            listeners = await trio.open_tcp_listeners(chosen, host=host, backlog=ACCEPT_BACKLOG)
    except (OSError, UnicodeError) as error:  # the latter of a host that cannot be a name
        raise ChatroomError(_explain(host, port, error)) from error
    opened = []
    for listener in listeners:
        sock = socket.socket(fileno=listener.socket.detach())
        sock.setblocking(False)
        prepare_listener(sock)
        opened.append(sock)
    return opened


def _explain(host: str, port: int, error: OSError | UnicodeError) -> str:
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"cannot listen on {host}: no such address; --host takes an address of this machine"
    # Trio wraps what several addresses gave in an exception group, but keeps the number.
    if error.errno == errno.EADDRINUSE or "in use" in str(error):
        return f"port {port} on {host} is in use; choose another with --port, 0 for any free one"
    if error.errno == errno.EACCES:
        return f"port {port} is not allowed to you; choose one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine; see --host"
    return f"cannot listen on {host} port {port}: {error.strerror or error}"


class Acceptor:
    """Accepts on one listener until cancelled; closes it then."""

    def __init__(self, listener: socket.socket, is_full: Callable[[], bool]) -> None:
        self._listener = listener
        self._is_full = is_full
        # Given up for a moment when there is no other descriptor, to tell a newcomer so.
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._last_complaint = -1.0

    async def run(self, take: Callable[[socket.socket, str], None]) -> None:
        """Call `take(socket, peer)` for each newcomer; it must not block or raise."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._listener)
                if not self._accept_batch(take):
                    await trio.sleep(_EXHAUSTED_PAUSE_SECONDS)
        finally:
            self._listener.close()
            if self._spare >= 0:
                os.close(self._spare)

    def _accept_batch(self, take: Callable[[socket.socket, str], None]) -> bool:
        """Returns whether the listener can be waited for: false when out of descriptors."""
        for _ in range(ACCEPT_BATCH):
            try:
                sock, address = self._listener.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._complain(error)
                    return self._refuse_with_spare()
                continue  # the newcomer has gone again (ECONNABORTED and its like, accept(2))
            if self._is_full():
                _refuse(sock)
            else:
                take(sock, peer_name(address))
        return True

    def _refuse_with_spare(self) -> bool:
        if self._spare < 0:
            return False
        os.close(self._spare)
        self._spare = -1
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return False
        else:
            _refuse(sock)
            return True
        finally:
            self._take_spare()

    def _take_spare(self) -> None:
        try:
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._spare = -1  # somebody else got it; newcomers wait in the kernel's queue

    def _complain(self, error: OSError) -> None:
        now = trio.current_time()
        if now - self._last_complaint >= 1 or self._last_complaint < 0:
            self._last_complaint = now
            log.warning("newcomers are refused: %s; see ulimit -n", error.strerror)


def _refuse(sock: socket.socket) -> None:
    with sock:
        sock.setblocking(False)
        try:
            sock.send(FULL_LINE)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has gone already
