"""All that a server opens before anybody can come in: listeners, the control socket, the feed."""

from __future__ import annotations

import logging
import socket
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chatroom.feed.broadcast import Feed
from chatroom.feed.seal import can_seal
from chatroom.settings import Access
from chatroom.transport.listening import open_listeners, open_unix, remove_unix
from chatroom.transport.sockets import is_tcp, prepare_listener

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatroom.feed.broadcast import History
    from chatroom.settings import ServerSettings

log = logging.getLogger("chatroom.server")


@dataclass(frozen=True, slots=True)
class Doors:
    """Whoever serves one of them closes it."""

    listeners: Sequence[socket.socket]
    control: socket.socket | None
    feed: Feed | None


async def open_doors(
    settings: ServerSettings,
    history: History,
    last_seq: int,
    inherited: Sequence[socket.socket] = (),
) -> Doors:
    """All of them, or none. `last_seq` is the newest event's; with `inherited` listeners no others
    are opened. Raises `ChatroomError` with a line for the user. Cancelled, nothing is open.
    """
    with ExitStack() as opened:
        listeners = inherited or await open_listeners(settings)
        for listener in inherited:
            prepare_listener(listener, settings.lost_seconds)
        for listener in listeners:
            opened.callback(listener.close)
        if settings.unix_path is not None and not inherited:
            opened.callback(remove_unix, settings.unix_path)
        control = None
        path = settings.access.control_path
        if path is not None:
            control = open_unix(path)
            opened.callback(remove_unix, path)
            opened.callback(control.close)
        feed = _open_feed(settings, _tcp_port(listeners, settings.port), history, last_seq)
        opened.pop_all()
    return Doors(listeners, control, feed)


def _tcp_port(listeners: Sequence[socket.socket], wanted: int) -> int:
    """Where they listen; `wanted` where all are Unix sockets."""
    ports = (listener.getsockname()[1] for listener in listeners if is_tcp(listener))
    return next(ports, wanted)


def _open_feed(
    settings: ServerSettings, tcp_port: int, history: History, last_seq: int
) -> Feed | None:
    feed = settings.feed
    if feed is None:
        return None
    sealed = settings.feed_is_sealed
    if not sealed and settings.access.access is not Access.OPEN:
        log.warning("everybody on its network can read the feed, and not all may come in")
    if sealed and feed.sealed is None and not can_seal():
        log.warning("no feed, which is to be sealed: pip install 'chatroom[tls]'")
        return None
    if settings.port == 0:
        feed = replace(feed, any_request_port=True)
    return Feed(feed, tcp_port, history, last_seq, sealed=sealed)
