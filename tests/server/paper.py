"""A room on paper: all of the server behind its connections, and outboxes that write down what is
sent instead of sending it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatroom.event import EVENT_KINDS, CloseReason
from chatroom.journal.memory import MemoryJournal
from chatroom.protocol import answers
from chatroom.protocol.jsonlines.render import JsonLines
from chatroom.protocol.plain.render import PLAIN
from chatroom.protocol.requests import Draft, Hello, Speaks
from chatroom.room.room import Room
from chatroom.server.connection import Connection
from chatroom.server.parts import assemble
from chatroom.server.turn.offer import Offer
from chatroom.transport.outbox import Boundary


class PaperOutbox:
    """See `chatroom.transport.outbox.Outbox`. What the kernel would take, and what it leaves, is
    one text here; `stuck` makes the reader a slow one at the next byte.
    """

    size_bytes = 0

    def __init__(self, report_slow: Callable[[], None]) -> None:
        self.text = b""
        self.last: bytes | None = None
        self.failure: OSError | None = None
        self.stuck = False
        self._report_slow = report_slow

    def send(self, records: bytes) -> int:
        """Takes half of it, as a kernel may: `keep` gets the rest."""
        if self.last is not None:
            return len(records)
        if self.stuck:
            raise BlockingIOError
        taken = (len(records) + 1) // 2
        self.text += records[:taken]
        return taken

    def keep(self, records: bytes, sent_bytes: int) -> None:
        if self.stuck:
            assert sent_bytes == 0
            self._report_slow()
        else:
            self.text += records[sent_bytes:]

    def push(self, records: bytes) -> None:
        if records:
            try:
                sent_bytes = self.send(records)
            except BlockingIOError:
                sent_bytes = 0
            if sent_bytes != len(records):
                self.keep(records, sent_bytes)

    def break_off(self) -> None:
        self.give_up()

    def give_up(self, failure: OSError | None = None) -> None:
        raise AssertionError(failure)

    def close(self, last: bytes, boundary: Boundary, *, abrupt: bool) -> None:
        assert self.last is None
        self.last = last

    async def wait_empty(self) -> None: ...

    async def wait_drained(self) -> None: ...


class PaperReader:
    """See `chatroom.server.connection.Reader`. Nobody reads here."""

    def __init__(self, has_more: Callable[[], bool] = lambda: False) -> None:
        self.has_more = has_more

    def stop_reading(self) -> None: ...


class PaperRoom:
    """Connections that ask, and what each of them is told."""

    def __init__(self, connections: int, *, presence_limit: int = 100) -> None:
        self.journal = MemoryJournal(100_000)
        room = Room("lobby", max_members=1000, presence_limit=presence_limit)
        offer = Offer(answers.Limits(1024))
        self.parts = assemble(room, self.journal, None, offer, answer_limit_bytes=1 << 20)
        self.slow: list[int] = []  #: in the order in which they were reported, in this turn
        self.outboxes: list[PaperOutbox] = []
        self.connections: list[Connection] = []
        for number in range(connections):
            self._attach(number)

    def _attach(self, number: int) -> None:
        connection = Connection(number, "paper")

        def report_slow() -> None:
            self.slow.append(number)
            self.report_slow(connection, "slow")

        outbox = PaperOutbox(report_slow)
        connection.outbox = outbox
        connection.reader = PaperReader()
        self.connections.append(connection)
        self.outboxes.append(outbox)

    def report_slow(self, connection: Connection, text: str) -> None:
        """As an outbox does whose reader has fallen too far behind."""
        self.parts.endings.soon(connection, CloseReason.SLOW_READER, text)

    def turn(self, reads: Sequence[tuple[int, Sequence[Draft]]]) -> list[int]:
        """One batch; who was found slow in it, in order."""
        self.slow = []
        self.parts.dispatcher.turn([(self.connections[who], drafts) for who, drafts in reads])
        return list(dict.fromkeys(self.slow))

    def lines(self, who: int) -> list[str]:
        """What a connection has been sent so far; whole lines."""
        text = self.outboxes[who].text + (self.outboxes[who].last or b"")
        assert not text or text.endswith(b"\n")
        return text.decode().splitlines()


def enters(nick: str | None = None) -> list[Draft]:
    """How somebody comes in with plain text."""
    return [Speaks(PLAIN), Hello(nick, strict=False)]


def enters_json(*, presence: bool = True, echo: bool = False) -> list[Draft]:
    """How a program comes in, or goes on in JSON Lines."""
    return [Speaks(JsonLines(presence), EVENT_KINDS if echo else frozenset()), Hello()]
