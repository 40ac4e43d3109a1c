"""A network of a soak's own, where root may make one: nobody else's talk is in it, and an interface
can be taken down.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from contextlib import ExitStack

from chatroom.errors import ChatroomError
from chatroom.settings import DEFAULT_GROUP, DEFAULT_HOST, DEFAULT_PORT
from loadtest.soak.server import Place

FEED_INTERFACE = "feed0"
_CLONE_NEWNET = 0x40000000  # sched.h


def enter_own_network() -> bool:
    """Move this process, and what it starts, to a network namespace of its own, if that is
    possible. It is gone when they are. Called before any other thread is there.
    """
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        return False
    set_link("lo", up=True)
    # What is sent to a group on it is heard by who has joined there on this host. The other end of
    # the cable is there only so that this one can be up.
    _ip("link", "add", FEED_INTERFACE, "type", "veth", "peer", "name", "feed1")
    set_link("feed1", up=True)
    _ip("addr", "add", "10.93.1.1/24", "dev", FEED_INTERFACE)
    set_link(FEED_INTERFACE, up=True)
    return True


def set_link(name: str, *, up: bool) -> None:
    """Take an interface up or down. Raises `ChatroomError` if that fails."""
    _ip("link", "set", name, "up" if up else "down")


def place(*, is_own_network: bool) -> Place:
    """Where the server is to listen."""
    if is_own_network:
        return Place(DEFAULT_PORT, DEFAULT_GROUP, DEFAULT_PORT + 1, FEED_INTERFACE)
    tcp, feed = _free_ports()
    return Place(tcp, DEFAULT_GROUP, feed, "127.0.0.1")


def _free_ports() -> tuple[int, int]:
    """One for TCP, and one for UDP with another free one above it."""
    with ExitStack() as held:
        tcp = held.enter_context(socket.socket())
        tcp.bind((DEFAULT_HOST, 0))
        while True:
            udp = held.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            udp.bind((DEFAULT_HOST, 0))
            port: int = udp.getsockname()[1]
            above = held.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            try:
                above.bind((DEFAULT_HOST, port + 1))
            except OSError:
                continue
            return tcp.getsockname()[1], port


def _ip(*args: str) -> None:
    done = subprocess.run(["ip", *args], capture_output=True, check=False)
    if done.returncode:
        raise ChatroomError(f"ip {' '.join(args)}: {done.stderr.decode().strip()}")
