"""What a client wants: the arguments of `connect`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chatroom.client.transport.address import Address
from chatroom.client.transport.naming import given
from chatroom.client.transport.tls import Tls
from chatroom.settings import DEFAULT_HOST, DEFAULT_PORT


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectOptions:
    """The arguments of `connect`; see there."""

    hosts: Sequence[str] = (DEFAULT_HOST,)
    port: int = DEFAULT_PORT
    nick: str | None = None
    resume: bool = False
    reconnect: bool = True
    give_up_seconds: float | None = None
    after: int | None = None
    session: str | None = None
    presence: bool = True
    echo: bool = False
    receive: bool = True
    inbox_limit_bytes: int = 8 * 1024 * 1024
    heartbeat_seconds: float = 15.0
    tls: Tls | None = None
    secret: str | None = field(default=None, repr=False)
    account: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def addresses(self) -> list[Address]:
        """Where the servers are. Raises `ValueError` for what names none."""
        if not self.hosts:
            raise ValueError("there is no server to connect to")
        named = [given(host, self.port) for host in self.hosts]
        private = bool(self.credentials)
        return [Address(host, port, self.tls, private=private) for host, port in named]

    @property
    def address(self) -> Address:
        """Where the first of them is."""
        return self.addresses[0]

    @property
    def credentials(self) -> dict[str, object]:
        """What the hello says to be let in."""
        named = {"secret": self.secret, "account": self.account, "password": self.password}
        return {name: value for name, value in named.items() if value is not None}
