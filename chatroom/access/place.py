"""Where a connection comes from, as far as limits go."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_network

from chatroom.room.bans import parse_address

#: Places that are remembered by whoever counts by them: some 2 MB. An attacker with a /48 has
#: 65,536 of them.
PLACES = 10_000


@lru_cache(maxsize=1024)  # a crowd from one address is parsed once, and its strings are one
def place_of(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 address, which one host may have; an IPv4 address in
    an IPv6 one is IPv4. Empty for loopback and for what is none (a Unix socket): no limit by place
    holds there, as everybody on the machine could keep everybody else out.
    """
    peer = parse_address(address)
    if peer is None or peer.is_loopback:
        return ""
    if isinstance(peer, IPv6Address):
        return str(ip_network((peer, 64), strict=False))
    return str(peer)
