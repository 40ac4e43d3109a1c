"""Taking newcomers in: in batches, and without descriptors if need be."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Callable

import trio

from chatroom.settings import ACCEPT_BATCH
from chatroom.transport.sockets import is_local, peer_name

log = logging.getLogger("chatroom.server")

#: Out of descriptors or memory: not the fault of the newcomer, and not of those inside.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

#: Pause when nothing can be accepted and nothing refused either: the listener stays readable, and
#: without it the loop would spin.
_EXHAUSTED_PAUSE_SECONDS = 0.05

#: What is done with a newcomer: its socket, its name for the log, whether it is on this machine.
Take = Callable[[socket.socket, str, bool], None]


class Acceptor:
    """Accepts on one listener until cancelled; closes it then."""

    def __init__(self, listener: socket.socket, refuse: Callable[[socket.socket], None]) -> None:
        """`refuse` turns a newcomer away for whom there is no descriptor: it closes it at once, and
        does not raise.
        """
        self._listener = listener
        self._refuse = refuse
        # Given up for a moment when there is no other descriptor, to tell a newcomer so.
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._last_complaint = -1.0

    async def run(self, take: Take) -> None:
        """Call `take(socket, peer, is it on this machine)` for each newcomer; it must not block or
        raise, but for `MemoryError`, after which the newcomer is closed.
        """
        try:
            while True:
                await trio.lowlevel.wait_readable(self._listener)
                try:
                    may_wait = self._accept_batch(take)
                except MemoryError:
                    may_wait = False
                if not may_wait:
                    await trio.sleep(_EXHAUSTED_PAUSE_SECONDS)
        finally:
            self._listener.close()
            if self._spare >= 0:
                os.close(self._spare)

    def _accept_batch(self, take: Take) -> bool:
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
            try:
                take(sock, peer_name(address), is_local(address))
            except MemoryError:
                sock.close()
                raise
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
            self._refuse(sock)
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
