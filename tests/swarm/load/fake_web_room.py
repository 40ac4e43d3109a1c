"""The fake room behind WebSockets, with a server's end by `websockets`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import trio
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from tests.swarm.load.fake_room import FakeRoom


@dataclass
class FakeWebRoom(FakeRoom):
    """See `FakeRoom`; its lines are JSON, in one frame or in fragments with a ping between them."""

    hellos: list[str] = field(default_factory=list)
    pongs: int = 0
    refusal: str = ""  #: what it closes newcomers with, if it does
    protocols: dict[trio.SocketStream, ServerProtocol] = field(default_factory=dict)

    async def serve(self, stream: trio.SocketStream) -> None:
        protocol = ServerProtocol(subprotocols=[Subprotocol("chatroom.v1")])
        self.protocols[stream] = protocol
        async for chunk in stream:
            protocol.receive_data(chunk)
            for event in protocol.events_received():
                if isinstance(event, Request):
                    protocol.send_response(protocol.accept(event))
                elif isinstance(event, Frame):
                    self.pongs += event.opcode is Opcode.PONG
                    if event.opcode is Opcode.TEXT:
                        await self.take(stream, event)
            async with self.floor:
                await self.flush(stream)
            if protocol.close_expected():
                await stream.aclose()
                return

    async def take(self, stream: trio.SocketStream, frame: Frame) -> None:
        for line in bytes(frame.data).split(b"\n"):
            request = json.loads(line)
            if stream not in self.members:
                self.enter(stream, request["nick"])
            elif request["kind"] == "quit":
                self.quits += 1
                self.protocols[stream].send_close(1000, "quit")
            else:
                place = self.members.index(stream)
                async with self.floor:
                    event = {"seq": self.number + 1, "kind": "message", "nick": self.names[place]}
                    said = json.dumps(event | {"text": request["text"]})
                    await self.tell(place, said.encode() + b"\n")

    def enter(self, stream: trio.SocketStream, nick: str) -> None:
        self.hellos.append(nick)
        self.names[len(self.members)] = nick
        self.members.append(stream)
        if self.refusal:
            self.protocols[stream].send_close(4408, self.refusal)

    async def send(self, stream: trio.SocketStream, lines: list[bytes]) -> None:
        protocol, message = self.protocols[stream], b"".join(lines)[:-1]
        if self.number % 3:
            protocol.send_text(message)
        else:
            protocol.send_text(message[:50], fin=False)
            protocol.send_ping(b"are you there?")
            protocol.send_continuation(message[50:], fin=True)
        await self.flush(stream)

    async def flush(self, stream: trio.SocketStream) -> None:
        if data := b"".join(self.protocols[stream].data_to_send()):
            await stream.send_all(data)
