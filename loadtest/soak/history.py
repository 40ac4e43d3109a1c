"""The history, read as a client reads it: what was acked is in it exactly once."""

from __future__ import annotations

from typing import Any

import msgspec
import trio

from chatroom.errors import ChatroomError
from loadtest.soak.ledger import Ledger
from loadtest.soak.server import Server
from loadtest.soak.wires import Wire, connect, greeting

PATIENCE_SECONDS = 60.0


class _Page(msgspec.Struct):
    kind: str
    events: list[msgspec.Raw] = []
    more: bool = False
    code: str = ""


class _Item(msgspec.Struct):
    kind: str
    seq: int = 0
    text: str = ""


class _Gap(msgspec.Struct, rename={"first": "from", "last": "to"}):
    first: int
    last: int


_page = msgspec.json.Decoder(_Page).decode
_item = msgspec.json.Decoder(_Item).decode
_gap = msgspec.json.Decoder(_Gap).decode


class History:
    """What has been read of it. Numbers that are settled are read once."""

    def __init__(self, server: Server, ledger: Ledger) -> None:
        self.checked = 0  #: acks that were looked for
        self.gaps = 0
        self._server = server
        self._ledger = ledger
        self._read_to = 0
        self._endangered_to = 0

    async def check(self) -> None:
        """Read on, to the last number that was acked before this, and look for what was acked.

        Raises `ChatroomError` if the server does not answer.
        """
        ledger = self._ledger
        if self._endangered_to != ledger.endangered_to:
            self._endangered_to, self._read_to = ledger.endangered_to, 0
        start, until = self._read_to, ledger.last_acked
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                found = await self._read(until)
        except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
            raise ChatroomError(f"the history cannot be read: {error!r}") from error
        for seq in [seq for seq in ledger.acked if start < seq <= until]:
            self.checked += 1
            mark = ledger.messages.get(seq)
            if seq in found and mark is not None and mark[:2] == ledger.acked[seq]:
                continue
            if seq in found or seq > ledger.endangered_to:
                ledger.faults.add("lost", f"#{seq} was acked, and is not in the history")

    async def _read(self, until: int) -> set[int]:
        """The numbers that are there."""
        found: set[int] = set()
        wire = await connect(self._server.place.port, "json")
        try:
            await wire.say(greeting("json", "historian", presence=False))
            while self._read_to < until:
                await self._ask(wire)
                self._take(await self._page(wire), until, found)
        finally:
            with trio.move_on_after(1, shield=True):
                await wire.aclose()
        return found

    @staticmethod
    async def _page(wire: Wire) -> _Page:
        while lines := await wire.lines():
            for line in lines:
                if line.startswith(b'{"kind":"history"'):
                    return _page(line)
                if line.startswith(b'{"kind":"error"'):
                    raise ChatroomError(f"the history cannot be read: {line.decode()}")
        raise OSError("closed by the server")

    async def _ask(self, wire: Wire) -> None:
        request: dict[str, Any] = {"kind": "history", "after": self._read_to, "limit": 1000}
        await wire.say(msgspec.json.encode(request) + b"\n")

    def _take(self, page: _Page, until: int, found: set[int]) -> None:
        ledger = self._ledger
        if not page.events:
            raise ChatroomError(f"the history ends at #{self._read_to}, before what was acked")
        for raw in page.events:
            item = _item(raw)
            gap = _gap(raw) if item.kind == "gap" else None  # a rename's `to` is a name
            first = gap.first if gap is not None else item.seq
            if first > until:
                break  # it is not settled yet: it is read again
            if first != self._read_to + 1:
                kind = "lost" if first > self._read_to else "doubled"
                ledger.faults.add(kind, f"the history has #{first} after #{self._read_to}")
            if gap is not None:
                self.gaps += 1
                self._read_to = gap.last
                continue
            text = item.text.encode() if item.kind == "message" else None
            ledger.see(item.seq, bytes(raw), text, "the history")
            found.add(item.seq)
            self._read_to = item.seq
