"""Servers as a person names them, and as another server does."""

from __future__ import annotations

import re

UNIX = "unix:"
WEB = ("ws://", "wss://")

#: A name of the DNS or an IPv4 address; or an IPv6 address in brackets, with no zone, which would
#: mean another interface here than there. A server's word ends in messages to a person, too.
_LEARNT = re.compile(r"(?:([A-Za-z0-9][A-Za-z0-9.-]{0,252})|\[([0-9A-Fa-f:.]{2,45})\]):(\d{1,5})")

MOST_PORT = 65535


def given(name: str, port: int) -> tuple[str, int]:
    """The host and port of `host`, `host:port`, `[v6]:port` or a bare IPv6 address, where `port` is
    for those without one. A `unix:PATH` or a WebSocket's URL stays whole.

    Raises `ValueError` with what is wrong.
    """
    if name.startswith((UNIX, *WEB)):
        return name, port
    bracketed = name.startswith("[")
    if not bracketed and name.count(":") != 1:
        host, colon, digits = name, "", ""
    else:
        host, colon, digits = name.rpartition(":") if not name.endswith("]") else (name, "", "")
    if bracketed and host.endswith("]"):
        host = host[1:-1]
    if not host or (colon and not _is_port(digits)):
        raise ValueError(f"{name!r} is neither HOST nor HOST:PORT")
    return host, int(digits) if colon else port


def learnt(name: str) -> tuple[str, int] | None:
    """The host and port of what a server says of another; None if that is no `host:port`."""
    match = _LEARNT.fullmatch(name)
    if match is None or not _is_port(match[3]):
        return None
    return match[1] or match[2], int(match[3])


def _is_port(digits: str) -> bool:
    return digits.isascii() and digits.isdecimal() and 0 < int(digits) <= MOST_PORT
