"""Listening: on the addresses of a host, and on a Unix socket."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat

import trio

from chatroom.errors import ChatroomError
from chatroom.settings import ACCEPT_BACKLOG, ServerSettings
from chatroom.transport.sockets import prepare_listener


async def open_listeners(settings: ServerSettings) -> list[socket.socket]:
    """Listening sockets, non-blocking: on every address of the host, all on one port, and on the
    Unix socket, if one is wanted.

    Port 0 lets the system choose. Raises `ChatroomError` with a line for the user.
    """
    opened = await _open_tcp(settings)
    if settings.unix_path is not None:
        try:
            opened.append(open_unix(settings.unix_path))
        except BaseException:
            for listener in opened:
                listener.close()
            raise
    return opened


async def check_port(settings: ServerSettings) -> None:
    """Raise `ChatroomError`, with a line for the user, if nobody could listen there now."""
    for listener in await _open_tcp(settings):
        listener.close()


async def _open_tcp(settings: ServerSettings) -> list[socket.socket]:
    host, port = settings.host, settings.port
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
        prepare_listener(sock, settings.lost_seconds)
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


def open_unix(path: str) -> socket.socket:
    """A listening Unix socket, for its owner alone. One that a dead server has left is replaced.

    Raises `ChatroomError` with a line for the user.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if not path or path.startswith("\0"):  # Linux would take a name of its own, without a file
            raise ValueError("it needs a path")
        _remove_dead(path)
        before = os.umask(0o177)  # from its first moment on, not after a chmod
        try:
            listener.bind(path)
        finally:
            os.umask(before)
        listener.listen(ACCEPT_BACKLOG)
    except (OSError, ValueError) as error:  # the latter of a path with a NUL
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise ChatroomError(f"cannot listen on the Unix socket {path}: {reason}") from error
    except BaseException:
        listener.close()
        raise
    return listener


def remove_unix(path: str) -> None:
    """The end of a Unix socket that `open_listeners` has made."""
    with contextlib.suppress(OSError):
        os.unlink(path)


def _remove_dead(path: str) -> None:
    """Remove a socket on which nobody listens any more. Raises `ChatroomError` if somebody does."""
    try:
        is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise ChatroomError(f"{path} exists and is no socket; choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        if probe.connect_ex(path) != errno.ECONNREFUSED:
            raise ChatroomError(f"another server listens on {path}; choose another path")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
