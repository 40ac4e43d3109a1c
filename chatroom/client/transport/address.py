"""Where a server is, and how it is reached."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import trio

from chatroom.client.errors import NotEncrypted, Unreachable
from chatroom.client.transport.contract import Transport
from chatroom.client.transport.stream import StreamTransport
from chatroom.client.transport.tls import Server, Tls, open_tls
from chatroom.transport.sockets import is_local, peer_name

UNIX = "unix:"
WEB = ("ws://", "wss://")


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port, `unix:PATH`, or the URL of a WebSocket, which has its own port."""

    host: str
    port: int
    tls: Tls | None = None  #: None: without, except for `wss:`; a Unix socket needs none
    #: Nobody else may read what is said: without TLS no other machine is talked to.
    private: bool = False

    def __str__(self) -> str:
        return self.host if self.host.startswith((UNIX, *WEB)) else f"{self.host}:{self.port}"

    async def connect(self) -> Transport:
        """Connect. Raises `Unreachable`, or `NotEncrypted` if it is to be private and would not be.
        Cancelled or failed, nothing is left open.
        """
        if self.host.startswith(WEB):
            return await _connect_web(self)
        if self.host.startswith(UNIX):
            return StreamTransport(await _dial_unix(self))
        return StreamTransport(await _open(self, self.host, self.port, self.tls))


async def _connect_web(address: Address) -> Transport:
    # Imported for who asks for it: a tenth of the time that a bot takes to start.
    from chatroom.client.transport.websocket import (  # noqa: PLC0415
        WebSocketTransport,
        prepare,
    )

    socket = prepare(address.host)
    url = urlsplit(address.host)
    secure = url.scheme == "wss"
    if address.tls and not secure:
        raise Unreachable(f"{address} is not encrypted: a WebSocket over TLS is wss://")
    tls = (address.tls or ssl.create_default_context()) if secure else None
    port = url.port or (443 if secure else 80)
    stream = await _open(address, url.hostname or "", port, tls)
    transport = WebSocketTransport(stream, socket)
    try:
        await transport.shake_hands(str(address))
    except BaseException:
        await transport.aclose()
        raise
    return transport


async def _open(address: Address, host: str, port: int, tls: Tls | None) -> trio.abc.Stream:
    if tls is None:
        stream = await _dial(address, host, port)
        if address.private and not _is_here(stream):
            await trio.aclose_forcefully(stream)
            text = f"{address} is another machine: a password is said over TLS only"
            raise NotEncrypted(text)
        return stream
    return await open_tls(
        Server(host, peer_name((host, port)), partial(_dial, address, host, port)), tls
    )


def _is_here(stream: trio.SocketStream) -> bool:
    """Whether the other end is of this machine."""
    return is_local(stream.socket.getpeername())


async def _dial(address: Address, host: str, port: int) -> trio.SocketStream:
    try:
        return await trio.open_tcp_stream(host, port)
    except ConnectionRefusedError as error:
        raise _nothing_listens(address) from error
    except (OSError, UnicodeError, OverflowError) as error:
        # With several addresses Trio raises an OSError from a group of one error for each.
        group = error.__cause__
        if isinstance(group, BaseExceptionGroup) and group.subgroup(ConnectionRefusedError):
            raise _nothing_listens(address) from error
        raise Unreachable(f"cannot connect to {address}: {error}") from error


async def _dial_unix(address: Address) -> trio.abc.Stream:
    try:
        return await trio.open_unix_socket(address.host.removeprefix(UNIX))
    except (ConnectionRefusedError, FileNotFoundError) as error:
        raise _nothing_listens(address) from error
    except (OSError, ValueError) as error:
        raise Unreachable(f"cannot connect to {address}: {error}") from error


def _nothing_listens(address: Address) -> Unreachable:
    return Unreachable(f"nothing listens at {address}: start a room there with `chatroom serve`")
