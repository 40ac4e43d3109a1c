"""A client that goes to the next server when its own is gone, and says again what was not acked."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

#: Between two attempts, when no server takes it.
_PAUSE_SECONDS = 0.05

_GONE = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


async def _reach(port: int | Path) -> trio.SocketStream:
    if isinstance(port, Path):
        return await trio.open_unix_socket(port)
    return await trio.open_tcp_stream("127.0.0.1", port)


class Follower:
    """Speaks JSON Lines; what it hears is in `heard`, by number."""

    def __init__(self, nick: str, ports: Sequence[int | Path]) -> None:
        """`ports`: of servers on this machine, or their Unix sockets."""
        self.nick = nick
        self.heard: dict[int, dict[str, Any]] = {}
        self.gaps: list[dict[str, Any]] = []
        self.acked: dict[str, int] = {}  #: numbers by the id of what was said
        self.refused: dict[str, str] = {}  #: codes by the same
        self.welcomes: list[dict[str, Any]] = []
        self.news = trio.Event()
        self.ports = ports
        self._unacked: dict[str, str] = {}  # texts by their ids
        self._stream: trio.SocketStream | None = None
        self._sending = trio.Lock()
        self._replayed_at = 0  # the last number of what was missed

    async def wait_welcomed(self) -> None:
        """Until it is in the room for the first time."""
        while not self.welcomes:
            await self.news.wait()

    async def run(self) -> None:
        """Stay in the room until cancelled."""
        while True:
            for port in list(self.ports):
                try:
                    async with await _reach(port) as stream:
                        await self._converse(stream)
                except (OSError, trio.BrokenResourceError, EOFError):
                    pass
                finally:
                    self._stream = None
            await trio.sleep(_PAUSE_SECONDS)

    async def say(self, id_: str, text: str) -> None:
        """Say something, now or as soon as there is a server."""
        self._unacked[id_] = text
        if self._stream is not None:
            stream = self._stream
            async with self._sending:
                # What does not get through is said again on the next server.
                with contextlib.suppress(*_GONE):
                    await stream.send_all(self._line(id_, text))

    async def wait_until_acked(self) -> None:
        while self._unacked:
            await self.news.wait()

    @property
    def texts(self) -> list[str]:
        """What was said by others, in order."""
        return [one["text"] for _, one in sorted(self.heard.items()) if one["kind"] == "message"]

    async def _converse(self, stream: trio.SocketStream) -> None:
        hello: dict[str, Any] = {"nick": self.nick}
        if self.welcomes:
            # All of it again: its own words among it are those that came through without an ack.
            hello |= {"token": self.welcomes[-1]["token"], "after": self.welcomes[0]["seq"]}
            hello["session"] = self.welcomes[-1]["session"]
        await stream.send_all(b"/json " + json.dumps(hello).encode() + b"\n")
        tail = b""
        while True:
            chunk = await stream.receive_some(65536)
            if not chunk:
                return
            *lines, tail = (tail + chunk).split(b"\n")
            for line in lines:
                if line.startswith(b"{"):
                    await self._hear(stream, json.loads(line))

    async def _hear(self, stream: trio.SocketStream, told: dict[str, Any]) -> None:
        kind = told["kind"]
        if kind == "welcome":
            self.welcomes.append(told)
            if len(self.welcomes) == 1:
                self._stream = stream
            else:
                self._replayed_at = told["seq"]
        elif kind == "ack":
            self.acked[told["id"]] = told["seq"]
            self._unacked.pop(told["id"], None)
        elif kind == "error" and told.get("id") is None:
            raise EOFError
        elif kind == "error":
            self.refused[told["id"]] = told["code"]
            self._unacked.pop(told["id"], None)
        elif kind == "bye":
            self._stream = None
            raise EOFError
        elif kind == "gap":
            self.gaps.append(told)
        elif "seq" in told:
            assert told["seq"] not in self.heard or self.heard[told["seq"]] == told
            self.heard[told["seq"]] = told
            if told["seq"] == self._replayed_at:
                await self._go_on(stream)
        self.news.set()
        self.news = trio.Event()

    async def _go_on(self, stream: trio.SocketStream) -> None:
        """All that was missed has come: say again what has not been said."""
        self._replayed_at = 0
        own = [one for one in self.heard.values() if one["nick"] == self.nick]
        said = {one["text"]: one["seq"] for one in own if one["kind"] == "message"}
        for id_, text in list(self._unacked.items()):
            if text in said:
                self.acked[id_] = said[text]
                del self._unacked[id_]
        async with self._sending:  # what is said from now on comes behind it
            self._stream = stream
            again = [self._line(id_, text) for id_, text in self._unacked.items()]
            with contextlib.suppress(*_GONE):
                await stream.send_all(b"".join(again))

    @staticmethod
    def _line(id_: str, text: str) -> bytes:
        return json.dumps({"kind": "message", "text": text, "id": id_}).encode() + b"\n"
