"""A room on paper: the dispatcher with everything behind it, and outboxes that write down what is
sent instead of sending it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatroom.journal.memory import MemoryJournal
from chatroom.protocol.requests import Draft
from chatroom.room import Room
from chatroom.server.connection import Connection
from chatroom.server.dispatcher import Dispatcher
from chatroom.server.fanout import Fanout


class PaperOutbox:
    """See `chatroom.server.connection.Outbox`. What the kernel would take, and what it leaves, is
    one text here; `stuck` makes the reader a slow one at the next byte.
    """

    def __init__(self, report_slow: Callable[[], None]) -> None:
        self.text = b""
        self.last_line: bytes | None = None
        self.failure: OSError | None = None
        self.stuck = False
        self._report_slow = report_slow

    def send(self, lines: bytes) -> int:
        """Takes half of it, as a kernel may: `keep` gets the rest."""
        if self.last_line is not None:
            return len(lines)
        if self.stuck:
            raise BlockingIOError
        taken = (len(lines) + 1) // 2
        self.text += lines[:taken]
        return taken

    def keep(self, lines: bytes, sent_bytes: int) -> None:
        if self.stuck:
            assert sent_bytes == 0
            self._report_slow()
        else:
            self.text += lines[sent_bytes:]

    def push(self, lines: bytes) -> None:
        if lines:
            try:
                sent_bytes = self.send(lines)
            except BlockingIOError:
                sent_bytes = 0
            if sent_bytes != len(lines):
                self.keep(lines, sent_bytes)

    def give_up(self, failure: OSError | None = None) -> None:
        raise AssertionError(failure)

    def close(self, last_line: bytes, *, abrupt: bool) -> None:
        assert self.last_line is None
        self.last_line = last_line

    async def wait_empty(self) -> None: ...

    async def wait_drained(self) -> None: ...


class PaperRoom:
    """Connections that ask, and what each of them is told."""

    def __init__(self, connections: int, *, presence_limit: int = 100) -> None:
        self.journal = MemoryJournal(100_000)
        room = Room("lobby", max_members=1000, presence_limit=presence_limit)
        self.dispatcher = Dispatcher(room, Fanout(), self.journal)
        self.dispatcher.wake = lambda: None
        self.slow: list[int] = []  #: in the order in which they were reported, in this turn
        self.outboxes: list[PaperOutbox] = []
        self.connections: list[Connection] = []
        for number in range(connections):
            self._attach(number)

    def _attach(self, number: int) -> None:
        connection = Connection(number, "paper")

        def report_slow() -> None:
            self.slow.append(number)
            self.dispatcher.report_slow(connection, "slow")

        outbox = PaperOutbox(report_slow)
        connection.outbox = outbox
        connection.stop_reading = lambda: None
        self.connections.append(connection)
        self.outboxes.append(outbox)

    def turn(self, reads: Sequence[tuple[int, Draft]]) -> list[int]:
        """One batch; who was found slow in it, in order."""
        self.slow = []
        self.dispatcher.turn([(self.connections[who], [draft], None) for who, draft in reads])
        return list(dict.fromkeys(self.slow))

    def lines(self, who: int) -> list[str]:
        """What a connection has been sent so far; whole lines."""
        text = self.outboxes[who].text + (self.outboxes[who].last_line or b"")
        assert not text or text.endswith(b"\n")
        return text.decode().splitlines()
