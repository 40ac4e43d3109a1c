"""A WebSocket in front of a room that speaks JSON Lines over TCP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import trio
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    from trio_typing import TaskStatus


class WebRelay:
    """Accepts WebSockets, and gives each a TCP connection to the room."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self.status = 101  #: answered to handshakes
        self.fragment_bytes = 10**9  #: messages are cut into frames of so many bytes
        self.pings = False  #: one goes before every frame
        self.sockets: list[ServerSocket] = []

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self.serve, listeners)

    async def serve(self, stream: trio.abc.Stream) -> None:
        socket = ServerSocket(stream)
        self.sockets.append(socket)
        async with stream:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                if not await socket.shake_hands(self.status):
                    return
                room = await trio.open_tcp_stream("127.0.0.1", self._to)
                async with room, trio.open_nursery() as nursery:
                    nursery.start_soon(self._up, socket, room)
                    await self._down(room, socket)
                    nursery.cancel_scope.deadline = trio.current_time() + 5

    async def _up(self, socket: ServerSocket, room: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for frame in socket:
                if frame.opcode is Opcode.TEXT:
                    await room.send_all(bytes(frame.data) + b"\n")
            await trio.aclose_forcefully(room)

    async def _down(self, room: trio.SocketStream, socket: ServerSocket) -> None:
        tail = b""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for chunk in room:
                lines, end, tail = (tail + chunk).rpartition(b"\n")
                if end:
                    await self._send(socket, lines)
            await socket.act(partial(ServerProtocol.send_close, code=1000))

    async def _send(self, socket: ServerSocket, message: bytes) -> None:
        size = self.fragment_bytes
        pieces = [message[at : at + size] for at in range(0, len(message), size)]
        for number, piece in enumerate(pieces):
            fin = number == len(pieces) - 1
            if self.pings:
                await socket.act(partial(ServerProtocol.send_ping, data=b"%d" % number))
            send = ServerProtocol.send_continuation if number else ServerProtocol.send_text
            await socket.act(partial(send, data=piece, fin=fin))


class ServerSocket:
    """One WebSocket, at its server's end."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.request: Request | None = None
        self.received: list[Frame] = []
        self.lingers = False  #: stay although the closing is finished
        self._protocol = ServerProtocol(subprotocols=[Subprotocol("chatroom.v1")])
        self._sending = trio.Lock()

    @property
    def close_code(self) -> int | None:
        """With what the client has closed."""
        closed = self._protocol.close_rcvd
        return None if closed is None else int(closed.code)

    async def shake_hands(self, status: int) -> bool:
        events = await self._receive()
        if not events:
            return False
        (request,) = events
        assert isinstance(request, Request)
        self.request = request
        if status == 101:
            response = self._protocol.accept(request)
        else:
            response = self._protocol.reject(status, "no\n")
        await self.act(lambda protocol: protocol.send_response(response))
        return status == 101

    async def act(self, action: Callable[[ServerProtocol], None]) -> None:
        """Let the protocol do something, and send what comes of it."""
        action(self._protocol)
        async with self._sending:
            await self.stream.send_all(b"".join(self._protocol.data_to_send()))

    async def send_raw(self, data: bytes) -> None:
        async with self._sending:
            await self.stream.send_all(data)

    async def _receive(self) -> list[object]:
        """What came next; nothing at the end."""
        while self.lingers or self.close_code is None:
            if not (chunk := await self.stream.receive_some()):
                break
            await self.act(partial(ServerProtocol.receive_data, data=bytes(chunk)))
            if events := self._protocol.events_received():
                return list(events)
        return []

    def __aiter__(self) -> ServerSocket:
        return self

    async def __anext__(self) -> Frame:
        if len(self.received) == self._given:
            self.received += [e for e in await self._receive() if isinstance(e, Frame)]
        if len(self.received) == self._given:
            raise StopAsyncIteration
        self._given += 1
        return self.received[self._given - 1]

    _given = 0
