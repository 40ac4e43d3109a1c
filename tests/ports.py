"""Ports for those who have to name one before anybody listens there."""

from __future__ import annotations

import errno
import random
import socket
from contextlib import ExitStack

#: Below those that the system gives to whoever asks for any (ip(7), `ip_local_port_range`): what is
#: free stays so until it is taken, or between two servers, also while other tests open sockets.
_PORTS = range(10_240, 32_000, 3)

_chance = random.SystemRandom()  # another process is to look elsewhere


def free_port() -> int:
    """A port that nobody uses on the loopback, and the two after it, for TCP and for UDP."""
    while not _is_free(port := _chance.choice(_PORTS)):
        pass
    return port


def _is_free(port: int) -> bool:
    with ExitStack() as stack:
        try:
            for number in range(port, port + 3):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    sock = stack.enter_context(socket.socket(type=kind))
                    sock.bind(("", number))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True
