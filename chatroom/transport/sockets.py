"""What is set on every client's socket, in both modes, and how a listening one is opened."""

from __future__ import annotations

import socket
import sys
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from chatroom.settings import (
    KEEPALIVE_PROBES,
    NOTSENT_LOWAT_BYTES,
)


def prepare_listener(listener: socket.socket, lost_seconds: float) -> None:
    """Set the options that an accepted socket inherits from its listener: seven system calls less
    for each newcomer. `lost_seconds`: see `ServerSettings`.
    """
    if not is_tcp(listener):
        return
    # With TCP_USER_TIMEOUT the kernel does not count probes: it gives a peer up when one has gone
    # unanswered and the peer was last heard so long ago (net/ipv4/tcp_timer.c). That has to leave
    # time for all of them: with as much as the first waits for, one lost packet was the end.
    idle_seconds = max(int(lost_seconds / 3), 1)
    tcp = {
        # A batch is one send already: Nagle's algorithm would only hold the last segment back.
        socket.TCP_NODELAY: 1,
        socket.TCP_NOTSENT_LOWAT: NOTSENT_LOWAT_BYTES,
        socket.TCP_KEEPIDLE: idle_seconds,
        socket.TCP_KEEPINTVL: max(idle_seconds // KEEPALIVE_PROBES, 1),
        socket.TCP_KEEPCNT: KEEPALIVE_PROBES,
        socket.TCP_USER_TIMEOUT: 2 * idle_seconds * 1000,
    }
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in tcp.items():
        listener.setsockopt(socket.IPPROTO_TCP, option, value)


def is_tcp(listener: socket.socket) -> bool:
    """Whether who comes in there has an address and a port."""
    return listener.family != socket.AF_UNIX


def peer_name(address: object) -> str:
    """`127.0.0.1:50312`, `[::1]:50312` or `unix:/run/chatroom.sock`, for the log; `unix` for a peer
    that has no address.
    """
    if not isinstance(address, tuple):
        return f"unix:{address}" if address else "unix"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def peer_address(peer: str) -> str:
    """The address in what `peer_name` has made; empty where there is none."""
    host, colon, port = peer.rpartition(":")
    # Interned: all who come from one address share it.
    return sys.intern(host.strip("[]")) if colon and port.isdigit() else ""


def is_local(address: object) -> bool:
    """Whether a peer is on this machine: of a loopback address, or come by a Unix socket."""
    return _is_loopback(address[0]) if isinstance(address, tuple) else True


@lru_cache(maxsize=1024)  # a crowd from one address is parsed once
def _is_loopback(host: str) -> bool:
    address = ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def has_more(sock: socket.socket) -> bool:
    """Whether bytes of the peer are there to be read. Never blocks."""
    try:
        # The descriptor's own, also of one under TLS: it is not to be decrypted now.
        peeked = socket.socket.recv(sock, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:  # there is nothing, or the peer is gone
        return False
    return bool(peeked)


def shut(sock: socket.socket, how: int) -> None:
    """Shut a direction down: who waits in it is woken. Takes no memory."""
    try:  # noqa: SIM105 - which takes no memory
        # The descriptor's own, also of one under TLS: `SSLSocket.shutdown` forgets the encryption,
        # and what another thread sends after it is readable.
        socket.socket.shutdown(sock, how)
    except OSError:
        pass  # the peer may have gone already
