"""Lines in the frames of a WebSocket."""

from __future__ import annotations

from math import inf

import trio
from websockets.exceptions import InvalidURI

from chatroom.client.errors import Unreachable
from chatroom.client.transport.contract import READ_BYTES
from chatroom.protocol.jsonlines.parse import BadLine
from chatroom.protocol.websocket.client import ClientWebSocket

#: After the closing handshake the server closes the connection (RFC 6455, section 7.1.1); one that
#: does not is waited for no longer than this.
CLOSE_SECONDS = 1.0


def prepare(url: str) -> ClientWebSocket:
    """A WebSocket of which nothing was sent yet. Raises `Unreachable` if `url` is none."""
    try:
        return ClientWebSocket(url)
    except (InvalidURI, ValueError) as error:
        raise Unreachable(f"{url} is no address of a WebSocket: {error}") from error


class WebSocketTransport:
    """See `chatroom.client.transport.contract.Transport`. Made by `shake_hands`."""

    here = False  # a proxy's address would not tell

    def __init__(self, stream: trio.abc.Stream, socket: ClientWebSocket) -> None:
        self._stream = stream
        self._socket = socket
        self._early: list[bytes] = []  # lines that came with the answer to the handshake
        self._close_by = inf
        self.bytes_received = 0

    @property
    def replies_due(self) -> bool:
        return self._socket.due

    @property
    def ending(self) -> str:
        return self._socket.ending

    async def shake_hands(self, where: str) -> None:
        """Open the WebSocket. Raises `Unreachable`.

        Cancelled or failed, it is in no known state: close it.
        """
        early: list[bytes] = []
        try:
            await self._stream.send_all(self._socket.outgoing())
            while self._socket.handshaking:
                early += await self.receive() or []
        except (trio.BrokenResourceError, OSError) as error:
            raise Unreachable(f"the connection to {where} broke at once") from error
        except BadLine as error:
            raise Unreachable(f"what answers at {where} is no chatroom server: {error}") from error
        if self._socket.refusal is not None:
            raise Unreachable(f"{where} {self._socket.refusal}: there is no chatroom")
        self._early = early

    async def receive(self) -> list[bytes] | None:
        if self._early:
            lines, self._early = self._early, []
            return lines
        chunk = b""
        with trio.move_on_at(self._close_by):
            chunk = bytes(await self._stream.receive_some(READ_BYTES))
        if not chunk:
            self._socket.feed_eof()
            return None
        self.bytes_received += len(chunk)
        lines = self._socket.feed(chunk)
        if self._socket.closed and self._close_by == inf:
            self._close_by = trio.current_time() + CLOSE_SECONDS
        return lines

    async def send(self, lines: bytes) -> None:
        if lines:
            self._socket.send(lines)
        await self._stream.send_all(self._socket.outgoing())

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)
