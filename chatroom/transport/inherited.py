"""Listening sockets that were open before the server began: socket activation.

Whoever starts the server (systemd with a socket unit, s6, a script) holds them, so they outlive it:
who connects while it is restarted waits in the kernel's queue, and nobody is refused. The protocol
is sd_listen_fds(3)'s: descriptors from 3 on, LISTEN_FDS of them, for the process LISTEN_PID.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

from chatroom.errors import ChatroomError

#: sd_listen_fds(3).
_FIRST = 3

_FAMILIES = frozenset({socket.AF_INET, socket.AF_INET6, socket.AF_UNIX})


def take_inherited(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """The listening sockets that this process was started with, non-blocking; empty: none.

    The variables are taken out of `environ`: they are not for this process's children. Raises
    `ChatroomError` for a descriptor that is not a listening stream socket.
    """
    pid = environ.pop("LISTEN_PID", "")
    count = environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    taken: list[socket.socket] = []
    try:
        taken.extend(map(_take, range(_FIRST, _FIRST + int(count))))
    except BaseException:
        for listener in taken:
            listener.close()
        raise
    return taken


def _take(descriptor: int) -> socket.socket:
    try:
        os.set_inheritable(descriptor, False)
        listener = socket.socket(fileno=descriptor)
    except OSError as error:
        reason = f"no socket was given as descriptor {descriptor}: {error.strerror}"
        raise ChatroomError(f"{reason}; see LISTEN_FDS") from error
    is_stream = listener.type == socket.SOCK_STREAM and listener.family in _FAMILIES
    if not is_stream or not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listener.close()
        reason = f"the socket given as descriptor {descriptor} does not listen for connections"
        raise ChatroomError(f"{reason}; ListenStream= makes one that does")
    listener.setblocking(False)
    return listener
