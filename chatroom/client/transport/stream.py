"""Lines over a stream: TCP, TLS, a Unix socket."""

from __future__ import annotations

import trio

from chatroom.client.transport.contract import READ_BYTES
from chatroom.protocol.framing import LineSplitter
from chatroom.protocol.jsonlines.parse import MAX_LINE_BYTES


class StreamTransport:
    """See `chatroom.client.transport.contract.Transport`."""

    replies_due = False
    ending = "the server went away"

    def __init__(self, stream: trio.abc.Stream, *, here: bool) -> None:
        self._stream = stream
        self.here = here
        self._splitter = LineSplitter(MAX_LINE_BYTES)
        self.bytes_received = 0

    async def receive(self) -> list[bytes] | None:
        chunk = await self._stream.receive_some(READ_BYTES)
        if not chunk:
            return None
        self.bytes_received += len(chunk)
        return self._splitter.feed(bytes(chunk))

    async def send(self, lines: bytes) -> None:
        await self._stream.send_all(lines)

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)
