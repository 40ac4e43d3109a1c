"""Visitors who come under TLS."""

from __future__ import annotations

import subprocess
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio

from tests.certificates import trusting_anybody
from tests.visiting import PATIENCE_SECONDS, House, Visitor

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator


class TlsVisitor(Visitor):
    """A visitor, its bytes under TLS."""

    def __init__(self, tcp: trio.SocketStream, context: ssl.SSLContext) -> None:
        super().__init__(tcp)
        self.tls = trio.SSLStream(tcp, context, server_hostname="localhost")

    async def send(self, data: bytes) -> None:
        with trio.fail_after(PATIENCE_SECONDS):
            await self.tls.send_all(data)

    async def receive(self) -> bytes:
        return bytes(await self.tls.receive_some(65536))

    async def rest_bytes(self) -> bytes:
        """Everything until the server says goodbye."""
        rest = b""
        with trio.fail_after(PATIENCE_SECONDS):
            while chunk := await self.receive():
                rest += chunk
        return rest


async def knock_with_tls(
    house: House, context: ssl.SSLContext | None = None, *, receive_buffer_bytes: int | None = None
) -> TlsVisitor:
    """Connect and shake hands, and say nothing yet."""
    visitor = await house.knock(receive_buffer_bytes=receive_buffer_bytes)
    tls = TlsVisitor(visitor.stream, context or trusting_anybody())
    with trio.fail_after(PATIENCE_SECONDS):
        await tls.tls.do_handshake()
    return tls


async def enter_with_tls(
    house: House, nick: str, *, receive_buffer_bytes: int | None = None
) -> TlsVisitor:
    """A plain visitor under TLS, welcomed."""
    visitor = await knock_with_tls(house, receive_buffer_bytes=receive_buffer_bytes)
    await visitor.say(f"/nick {nick}")
    assert f"you are {nick} " in await visitor.line()
    return visitor


class SClient:
    """`openssl s_client` in conversation, with all that it prints."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._printed = b""

    @classmethod
    @asynccontextmanager
    async def open(cls, house: House, *options: str) -> AsyncIterator[SClient]:
        """Connected, until it has ended."""
        where = ("-connect", f"127.0.0.1:{house.service.port}")
        async with trio.open_nursery() as nursery:
            process = await nursery.start(
                partial(
                    trio.run_process,
                    ["openssl", "s_client", *where, *options],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    check=False,
                )
            )
            yield cls(process)
            nursery.cancel_scope.cancel()

    async def say(self, line: str) -> None:
        """A line of talk, or one of its own commands."""
        assert self._process.stdin is not None
        await self._process.stdin.send_all(f"{line}\n".encode())

    async def until(self, what: bytes) -> None:
        """Read up to `what`, and forget it."""
        while what not in self._printed:
            chunk = await self._receive()
            assert chunk, self._printed
            self._printed += chunk
        self._printed = self._printed.partition(what)[2]

    async def rest(self) -> bytes:
        """What it prints until it ends."""
        while chunk := await self._receive():
            self._printed += chunk
        return self._printed

    async def _receive(self) -> bytes:
        assert self._process.stdout is not None
        with trio.fail_after(PATIENCE_SECONDS):
            return bytes(await self._process.stdout.receive_some())


async def openssl(house: House, said: bytes, *options: str) -> str:
    """What `openssl s_client` reads that says this, until the server closes."""
    where = ("-connect", f"127.0.0.1:{house.service.port}")
    command = ["openssl", "s_client", *where, "-quiet", *options]
    with trio.fail_after(PATIENCE_SECONDS):
        done = await trio.run_process(
            command, stdin=said, capture_stdout=True, capture_stderr=True, check=False
        )
    assert isinstance(done.stdout, bytes)
    return done.stdout.decode()
