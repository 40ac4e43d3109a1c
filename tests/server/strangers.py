"""Visitors from other machines, on one: each loopback network 127.0.N.0 stands for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatroom.server.serving import acceptor
from chatroom.transport import sockets

if TYPE_CHECKING:
    import pytest

HERE = "127.0.0.1"
STRANGER, ANOTHER = "127.0.1.7", "127.0.1.8"


def come_from_afar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes from 127.0.1.x has come from 192.0.2.x, for the server that accepts it."""

    def elsewhere(address: object) -> object:
        if isinstance(address, tuple) and address[0].startswith("127.0.1."):
            return (address[0].replace("127.0.1.", "192.0.2."), *address[1:])
        return address

    monkeypatch.setattr(
        acceptor, "peer_name", lambda address: sockets.peer_name(elsewhere(address))
    )
    monkeypatch.setattr(acceptor, "is_local", lambda address: sockets.is_local(elsewhere(address)))
