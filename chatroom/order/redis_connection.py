"""A connection to Redis, by the library `coredis`, whose own tasks are not on a message's way."""

from __future__ import annotations

import logging
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import trio
from coredis.connection import BaseConnection, Location

from chatroom.order.store import AwayError, UnusableError

if TYPE_CHECKING:
    from coredis.connection._request import Request

    from chatroom.order.address import RedisAddress

# It writes tracebacks of every attempt to connect; what they say is in our errors.
logging.getLogger("coredis").setLevel(logging.CRITICAL)


class Connection(BaseConnection):
    """Over a stream that is there already: the library's own leave things open when they cannot be
    made, which is what they do all the time while a Redis is away.

    The library has one task that writes and one that reads. On a message's way each costs a turn of
    the event loop, a quarter of the time from one server to the other. So what is asked is written
    at once, where it can be; and who reads in a loop may read the answers itself.
    """

    def __init__(self, address: RedisAddress, stream: anyio.abc.ByteStream) -> None:
        super().__init__(
            _Place(address),
            db=address.db,
            username=address.username or None,
            password=address.password or None,
        )
        self._dialled = stream
        self._address = address
        # Under TLS there is no writing past the stream.
        raw = anyio.abc.SocketAttribute.raw_socket
        self._socket: socket.socket | None = None if address.tls else stream.extra(raw, None)
        self._unsent = trio.Event()
        self._rest = b""  # of what the socket did not take
        self._is_writing = False
        self._others_read, self._reads_itself = trio.CancelScope(), trio.Event()

    async def _connect(self) -> anyio.abc.ByteStream:
        return self._dialled

    def describe(self) -> str:
        """For the library's own log."""
        return str(self._address)

    # Writing

    def create_request(self, command: bytes, *args: Any, **options: Any) -> Request:
        """Ask; the answer can be awaited. Never waits. Raises a `RedisError` if it has broken."""
        request = super().create_request(command, *args, **options)
        if self._socket is None or self._rest or self._is_writing:
            self._unsent.set()
        else:
            self._write_now(self._socket)
        return request

    def _write_now(self, sock: socket.socket) -> None:
        data = self._take()
        sent = 0
        with suppress(OSError):  # the task meets it again, unless the socket was only full
            sent = sock.send(data)
        if sent < len(data):
            self._rest = data[sent:]
            self._unsent.set()

    def _take(self) -> bytes:
        """What is to be written now."""
        commands: list[tuple[bytes, Any]] = []
        with suppress(anyio.WouldBlock):
            while True:
                commands += self._write_buffer_out.receive_nowait()
        rest, self._rest = self._rest, b""
        packed = self._packer.pack_commands([(command, *args) for command, args in commands])
        return rest + b"".join(packed)

    async def _writer_task(self) -> None:
        """Write what could not be written at once."""
        while True:
            await self._unsent.wait()
            self._unsent = trio.Event()
            self._is_writing = True
            while data := self._take():
                await self._dialled.send(data)
            self._is_writing = False

    # Reading

    async def _reader_task(self) -> None:
        with self._others_read:
            await super()._reader_task()
        self._reads_itself.set()

    async def read_oneself(self) -> None:
        """From now on nobody reads but `ask`, one at a time."""
        self._others_read.cancel()
        await self._reads_itself.wait()

    async def ask(self, command: bytes, *args: Any) -> Any:
        """Ask, and wait for the answer. Raises as the library does, and `anyio`'s errors of a
        stream that breaks. Cancelled, the connection is not to be used any more.
        """
        request = self.create_request(command, *args)
        if self._reads_itself.is_set():
            while not request.complete:
                self._data_received(await self._dialled.receive())
        return await request


class _Place(Location):
    """The library asks for one, and only names it in its errors."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address

    def __repr__(self) -> str:
        return str(self._address)

    async def check(self) -> bool:
        """Not asked."""
        return True


async def dial(address: RedisAddress) -> anyio.abc.ByteStream:
    """A stream to that Redis. Raises `AwayError`, and `UnusableError` for a certificate file that
    cannot be read.
    """
    tls = _tls(address) if address.tls else None
    try:
        if address.path:
            return await anyio.connect_unix(address.path)
        host, port = address.hosts[0]
        if tls is None:
            return await anyio.connect_tcp(host, port)
        # Redis closes without TLS's goodbye, as many do.
        return await anyio.connect_tcp(host, port, ssl_context=tls, tls_standard_compatible=False)
    except OSError as error:
        reason = error.__cause__ or error
        raise AwayError(f"cannot connect to {address}: {reason}") from None


def _tls(address: RedisAddress) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=address.ca_file or None)
    except OSError as error:
        raise UnusableError(f"cannot read {address.ca_file}: {error}") from None
