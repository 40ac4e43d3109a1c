"""A small room that speaks JSON Lines, for the client's tests: real sockets, one log, no rules.

It keeps every event, replays, answers history, and can be told to misbehave.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import trio

if TYPE_CHECKING:
    from trio_typing import TaskStatus

Line = dict[str, Any]


class FakeRoom:
    """The log and the people of a room. It outlives its connections, as a server's disk does."""

    def __init__(self) -> None:
        self.session = "FAKE000001"
        self.earlier_sessions: list[str] = []  #: of the same log, as after a crash
        self.log: list[Line] = []
        self.kept_from = 1  #: the oldest number that history still has
        self.connections: list[FakeConnection] = []
        self.hellos: list[Line] = []
        #: Called with each request before it is carried out; True: it has dealt with it.
        self.before: Callable[[FakeConnection, Line], bool] = lambda connection, request: False
        self.entered: Callable[[FakeConnection], None] = lambda connection: None
        self.servers: list[str] = []  #: that each welcome names
        self.mute = False  #: read nothing and say nothing, as a server that hangs
        self.port = 0

    @property
    def seq(self) -> int:
        return len(self.log)

    def happen(self, kind: str, nick: str, **fields: str) -> Line:
        """An event, to everybody but its maker."""
        event = {"seq": self.seq + 1, "time": "2026-11-22T13:17:42.123456Z", "kind": kind}
        event |= {"nick": nick, **fields}
        self.log.append(event)
        for connection in self.connections:
            if connection.nick != nick or connection.hello.get("echo"):
                connection.send(event)
        return event

    def after(self, seq: int) -> list[Line]:
        return self.log[max(seq, self.kept_from - 1) :]

    async def serve(self, *, task_status: TaskStatus[int]) -> None:
        """Accept connections until cancelled; reports the port."""
        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
            self.port = listeners[0].socket.getsockname()[1]
            nursery.start_soon(trio.serve_listeners, self.handle, listeners)
            task_status.started(self.port)

    async def handle(self, stream: trio.abc.Stream) -> None:
        connection = FakeConnection(self, stream)
        try:
            await connection.run()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            if connection in self.connections:
                self.connections.remove(connection)
            await trio.aclose_forcefully(stream)


class FakeConnection:
    def __init__(self, room: FakeRoom, stream: trio.abc.Stream) -> None:
        self.room = room
        self.stream = stream
        self.nick = ""
        self.hello: Line = {}
        self._outgoing, self._to_send = trio.open_memory_channel[bytes](100_000)

    def send(self, line: Line) -> None:
        self._outgoing.send_nowait(msgspec.json.encode(line) + b"\n")

    def send_raw(self, line: bytes) -> None:
        self._outgoing.send_nowait(line)

    def close(self) -> None:
        """The stream ends once what was sent before has left."""
        self._outgoing.close()

    async def cut(self) -> None:
        """The connection breaks, with all that was on its way."""
        await trio.aclose_forcefully(self.stream)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, nursery.cancel_scope)
            buffered = b""
            async for chunk in self.stream:
                *lines, buffered = (buffered + chunk).split(b"\n")
                for line in lines:
                    if self.room.mute:
                        await trio.sleep_forever()
                    self._take(line)
            nursery.cancel_scope.cancel()

    async def _write(self, scope: trio.CancelScope) -> None:
        async for line in self._to_send:
            await self.stream.send_all(line)
        scope.cancel()

    def _take(self, line: bytes) -> None:
        if line.startswith(b"/json"):
            self._enter(msgspec.json.decode(line[5:].strip() or b"{}"))
            return
        request: Line = msgspec.json.decode(line)
        if not self.room.before(self, request):
            self.carry_out(request)

    def _enter(self, hello: Line) -> None:
        room = self.room
        room.hellos.append(hello)
        self.hello = hello
        self.nick = hello.get("nick") or f"guest{len(room.hellos)}"
        if room.before(self, {"kind": "hello", **hello}):
            return
        self.send_raw(b"-- welcome, whoever you are\n")
        same = hello.get("session") in (None, room.session, *room.earlier_sessions)
        welcome: Line = {"kind": "welcome", "protocol": 1, "room": "lobby"}
        welcome |= {"session": room.session, "nick": self.nick, "token": "t", "seq": room.seq}
        nicks = [connection.nick for connection in room.connections] + [self.nick]
        welcome |= {"members": nicks, "member_count": len(nicks), "limits": {"text": 1024}}
        welcome["multicast"] = None
        if room.servers:
            welcome["servers"] = room.servers
        replay: list[Line] = []
        if "after" in hello:
            start = hello["after"] if same else 0
            replay = room.after(start)
            missed = max(0, room.kept_from - 1 - start)
            welcome["resumed"] = "complete" if same and not missed else "partial"
            if not same or missed:
                welcome["missed"] = missed
            welcome["after"] = start
        for item in [welcome, *replay]:
            self.send(item)
        room.connections.append(self)
        room.entered(self)

    def carry_out(self, request: Line) -> None:
        """Do as a good server does."""
        room = self.room
        answer = {"id": request["id"]} if "id" in request else {}
        match request["kind"]:
            case "message" | "action" as kind:
                event = room.happen(kind, self.nick, text=request["text"])
                self.send({"kind": "ack", **answer, "seq": event["seq"]})
            case "rename":
                given = unicodedata.normalize("NFKC", request["to"])
                event = room.happen("rename", self.nick, to=given)
                self.nick = given
                self.send({"kind": "ack", **answer, "seq": event["seq"], "nick": given})
            case "history":
                self.send({"kind": "history", **self._page(request), **answer})
            case "search":
                found = [event for event in room.log if request["text"] in event.get("text", "")]
                found = [event for event in found if event["seq"] < request.get("before", 10**9)]
                limit = request["limit"]
                self.send({"kind": "history", "events": found[-limit:],
                           "more": len(found) > limit, **answer})  # fmt: skip
            case "who":
                nicks = [connection.nick for connection in room.connections]
                self.send({"kind": "members", "members": nicks, "member_count": len(nicks),
                           "more": False, **answer})  # fmt: skip
            case "ping":
                self.send({"kind": "pong", **answer})
            case "quit":
                self.send({"kind": "bye", "reason": "quit", "text": "goodbye"})
                self.close()

    def _page(self, request: Line) -> Line:
        limit = request["limit"]
        if "after" in request:
            events = self.room.after(request["after"])
            return {"events": events[:limit], "more": len(events) > limit}
        events = self.room.log[: request.get("before", self.room.seq + 1) - 1]
        return {"events": events[-limit:], "more": len(events) > limit}
