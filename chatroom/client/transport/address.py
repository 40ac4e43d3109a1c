"""Where a server is, and how it is reached."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import urlsplit

import trio

from chatroom.client.errors import NotEncrypted, Unreachable
from chatroom.client.transport.contract import Transport
from chatroom.client.transport.naming import UNIX, WEB
from chatroom.client.transport.stream import StreamTransport
from chatroom.client.transport.tls import Server, Tls, open_tls
from chatroom.transport.sockets import is_local, peer_name


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port, `unix:PATH`, or the URL of a WebSocket, which has its own port."""

    host: str
    port: int
    tls: Tls | None = None  #: None: without, except for `wss:`; a Unix socket needs none
    #: Nobody else may read what is said: without TLS no other machine is talked to.
    private: bool = False
    #: It has to be another machine: nobody from elsewhere sends a client to what listens here.
    away: bool = False
    #: Who has told of it, as `known_rooms` has that one; empty: the person who uses this client.
    introduced_by: str = ""

    def __str__(self) -> str:
        if self.host.startswith((UNIX, *WEB)):
            return self.host
        return peer_name((self.host, self.port))

    @property
    def introduces(self) -> bool:
        """Whether a server here may tell of others. What a Unix socket or a proxy leads to has ways
        to it that its servers do not know of, and a TCP port may be less private than they are.
        """
        return not self.host.startswith((UNIX, *WEB))

    def introduced(self, host: str, port: int, *, here: bool) -> Address:
        """Another server, of which this one has told; `here`: this one is on this machine.

        What is said to it is as safe from others as what is said to this one: the same TLS, with
        a certificate that is known or vouched for, or the same; without TLS it does not leave the
        machine if it has not before.
        """
        return replace(
            self,
            host=host,
            port=port,
            private=self.private or here,
            away=not here,
            introduced_by=self.introduced_by or peer_name((self.host, self.port)),
        )

    async def connect(self) -> Transport:
        """Connect. Raises `Unreachable`, or `NotEncrypted` if it is to be private and would not be.
        Cancelled or failed, nothing is left open.
        """
        if self.host.startswith(WEB):
            return await _connect_web(self)
        if self.host.startswith(UNIX):
            return StreamTransport(await _dial_unix(self), here=True)
        stream = await _open(self, self.host, self.port, self.tls)
        return StreamTransport(stream, here=_is_here(stream))


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
            what = "what was said on this one" if address.introduced_by else "a password"
            text = f"{address} is another machine: {what} is said over TLS only"
            raise NotEncrypted(text)
        return stream
    dial = partial(_dial, address, host, port)
    return await open_tls(Server(host, peer_name((host, port)), dial, address.introduced_by), tls)


def _is_here(stream: trio.abc.Stream) -> bool:
    """Whether the other end is of this machine."""
    inner = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    return isinstance(inner, trio.SocketStream) and is_local(inner.socket.getpeername())


async def _dial(address: Address, host: str, port: int) -> trio.SocketStream:
    stream = await _dial_any(address, host, port)
    if address.away and _is_here(stream):
        await trio.aclose_forcefully(stream)
        raise Unreachable(f"{address} is this machine: no server elsewhere may send one there")
    return stream


async def _dial_any(address: Address, host: str, port: int) -> trio.SocketStream:
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
