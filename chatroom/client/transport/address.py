"""Where a server is, and how it is reached."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import trio

from chatroom.client.errors import Unreachable
from chatroom.client.transport.contract import Transport
from chatroom.client.transport.stream import StreamTransport

UNIX = "unix:"
WEB = ("ws://", "wss://")


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port, `unix:PATH`, or the URL of a WebSocket, which has its own port."""

    host: str
    port: int
    ssl_context: ssl.SSLContext | None = None  #: for TLS; None: without, except for `wss:`

    def __str__(self) -> str:
        return self.host if self.host.startswith((UNIX, *WEB)) else f"{self.host}:{self.port}"

    async def connect(self) -> Transport:
        """Connect. Raises `Unreachable`. Cancelled or failed, nothing is left open."""
        if self.host.startswith(WEB):
            return await _connect_web(self)
        if self.host.startswith(UNIX):
            return StreamTransport(await _dial_unix(self))
        return StreamTransport(await _dial(self, self.host, self.port, self.ssl_context))


async def _connect_web(address: Address) -> Transport:
    # Imported for who asks for it: a tenth of the time that a bot takes to start.
    from chatroom.client.transport.websocket import (  # noqa: PLC0415
        WebSocketTransport,
        prepare,
    )

    socket = prepare(address.host)
    url = urlsplit(address.host)
    secure = url.scheme == "wss"
    context = (address.ssl_context or ssl.create_default_context()) if secure else None
    port = url.port or (443 if secure else 80)
    stream = await _dial(address, url.hostname or "", port, context)
    transport = WebSocketTransport(stream, socket)
    try:
        await transport.shake_hands(str(address))
    except BaseException:
        await transport.aclose()
        raise
    return transport


async def _dial(
    address: Address, host: str, port: int, context: ssl.SSLContext | None
) -> trio.abc.Stream:
    try:
        stream = await trio.open_tcp_stream(host, port)
    except ConnectionRefusedError as error:
        raise _nothing_listens(address) from error
    except (OSError, UnicodeError, OverflowError) as error:
        # With several addresses Trio raises an OSError from a group of one error for each.
        group = error.__cause__
        if isinstance(group, BaseExceptionGroup) and group.subgroup(ConnectionRefusedError):
            raise _nothing_listens(address) from error
        raise Unreachable(f"cannot connect to {address}: {error}") from error
    if context is None:
        return stream
    return await _encrypt(address, stream, context, host)


async def _encrypt(
    address: Address, stream: trio.SocketStream, context: ssl.SSLContext, host: str
) -> trio.abc.Stream:
    encrypted = trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)
    try:
        await encrypted.do_handshake()
    except (trio.BrokenResourceError, OSError) as error:
        await trio.aclose_forcefully(stream)
        raise Unreachable(f"no TLS with {address}: {error.__cause__ or error}") from error
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return encrypted


async def _dial_unix(address: Address) -> trio.abc.Stream:
    try:
        return await trio.open_unix_socket(address.host.removeprefix(UNIX))
    except (ConnectionRefusedError, FileNotFoundError) as error:
        raise _nothing_listens(address) from error
    except (OSError, ValueError) as error:
        raise Unreachable(f"cannot connect to {address}: {error}") from error


def _nothing_listens(address: Address) -> Unreachable:
    return Unreachable(f"nothing listens at {address}: start a room there with `chatroom serve`")
