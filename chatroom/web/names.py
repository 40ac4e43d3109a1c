"""By which names this server may be asked: what keeps other pages' scripts out."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address

from chatroom.errors import ChatroomError

#: Ports that a browser leaves out.
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def own_names() -> frozenset[str]:
    """What this machine is called, by itself: its name with and without the domain, and as mDNS has
    it. Asks no name server.
    """
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return frozenset({"localhost", name, short, f"{short}.local"})


class Names:
    """The names that are this server's, and the origins whose scripts may come in."""

    def __init__(self, hosts: Sequence[str] = (), origins: Sequence[str] = ()) -> None:
        """`hosts` beside this machine's own names, `origins` beside the page's own. Raises
        `ChatroomError` if one of these has no scheme, and so would never match.
        """
        self._hosts = own_names() | {_name(host) for host in hosts}
        self._origins = frozenset(_parts(origin) for origin in origins)
        for origin in origins:
            if "://" not in origin:
                raise ChatroomError(f"{origin} is no origin: it begins with https:// or http://")

    def is_own(self, host: str) -> bool:
        """Whether `host` (of `Host`, a port may follow) means this server, and not a name that
        somebody else has led here (DNS rebinding). An address can't be led elsewhere.
        """
        name = _name(host)
        return name in self._hosts or _is_address(name)

    def lets_in(self, origin: str, host: str) -> bool:
        """Whether scripts of `origin` may speak for whoever visits them: those of the page that is
        served at `host`, and those that the operator has named.
        """
        parts = _parts(origin)
        if parts in self._origins:
            return True
        scheme, name, port = parts
        return scheme in _DEFAULT_PORTS and (name, port) == _with_port(host.lower(), scheme)


def _name(host: str) -> str:
    """The name alone, such that equal ones are equal."""
    return _split_port(host.lower())[0].rstrip(".")


def _is_address(name: str) -> bool:
    if name.startswith("["):
        name = name[1:].removesuffix("]")
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _split_port(host: str) -> tuple[str, str]:
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        return host, ""
    return name, port


def _with_port(host: str, scheme: str) -> tuple[str, str]:
    name, port = _split_port(host)
    return name, port or _DEFAULT_PORTS.get(scheme, "")


def _parts(origin: str) -> tuple[str, str, str]:
    """Scheme, host and port of an origin, such that equal origins have equal ones."""
    scheme, _, host = origin.lower().rstrip("/").partition("://")
    return (scheme, *_with_port(host, scheme))
