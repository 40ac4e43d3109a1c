"""What a client wants: the arguments of `connect`."""

from __future__ import annotations

from dataclasses import dataclass

from chatroom.client.transport.address import Address
from chatroom.client.transport.tls import Tls
from chatroom.settings import DEFAULT_HOST, DEFAULT_PORT


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectOptions:
    """The arguments of `connect`; see there."""

    host: str = DEFAULT_HOST
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

    @property
    def address(self) -> Address:
        """Where the server is."""
        return Address(self.host, self.port, self.tls)
