"""Where the log is kept, as a user writes it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from chatroom.errors import ChatroomError

_REDIS_PORT, _SENTINEL_PORT = 6379, 26379

_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")

_FORMS = (
    "redis://[user[:password]@]host[:port][/db], rediss:// for TLS, unix:///path[?db=n], "
    "or redis+sentinel://host[:port],…/service[/db]"
)


class RedisAddress(NamedTuple):
    """Which Redis, and as whom."""

    hosts: tuple[tuple[str, int], ...] = ()  #: with a service, its Sentinels
    path: str = ""  #: of a Unix socket, instead of hosts
    service: str = ""  #: the name that Sentinels know the Redis by
    tls: bool = False
    ca_file: str = ""  #: whom to trust; empty: whom this machine trusts
    db: int = 0
    username: str = ""
    password: str = ""

    def __str__(self) -> str:
        """Without the password."""
        where = self.path or ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{self.service} of {where}" if self.service else where

    def __repr__(self) -> str:
        return f"<Redis at {self}>"


def parse_address(url: str, password_file: Path | None = None) -> RedisAddress:
    """Read what stands after `--cluster`; the password may stand in a file, whose first line it is.

    Raises `ChatroomError`, in whose text there is never a password. Blocks for the file.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES:
            raise ValueError
        address = _unix(parts) if parts.scheme == "unix" else _network(parts)
    except ValueError:
        raise ChatroomError(f"--cluster is {_FORMS}") from None
    known = {"ca"} if parts.scheme.startswith("rediss") else {"db"} if address.path else set()
    for name in parse_qs(parts.query, keep_blank_values=True):
        if name not in known:
            raise ChatroomError(f"--cluster: {name} is no option there; it is {_FORMS}")
    address = address._replace(
        tls=parts.scheme.startswith("rediss"),
        ca_file=_option(parts, "ca"),
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )
    return address if password_file is None else address._replace(password=_read(password_file))


def _unix(parts: SplitResult) -> RedisAddress:
    if not parts.path:
        raise ValueError
    return RedisAddress(path=unquote(parts.path), db=int(_option(parts, "db") or 0))


def _network(parts: SplitResult) -> RedisAddress:
    sentinels = parts.scheme.endswith("+sentinel")
    port = _SENTINEL_PORT if sentinels else _REDIS_PORT
    places = parts.netloc.rpartition("@")[2].split(",")
    if len(places) > 1 and not sentinels:
        raise ValueError
    hosts = tuple(_place(place, port) for place in places)
    service, _, db = (
        parts.path[1:].partition("/") if sentinels else ("", "", parts.path.removeprefix("/"))
    )
    if sentinels and not service:
        raise ValueError
    return RedisAddress(hosts, service=unquote(service), db=int(db or 0))


def _place(text: str, default_port: int) -> tuple[str, int]:
    place = urlsplit(f"//{text}")
    if not place.hostname:
        raise ValueError
    return place.hostname, place.port or default_port


def _option(parts: SplitResult, name: str) -> str:
    return parse_qs(parts.query).get(name, [""])[0]


def _read(path: Path) -> str:
    try:
        return path.read_text().partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ChatroomError(f"cannot read the password from {path}: {reason}") from None
