"""What was promised, over all lives of a server: a number is one event for ever, what was acked is
there exactly once, and where something is missing a gap says so.

The swarm's own audit holds streams against a witness whose connection never breaks; here every
connection breaks, so numbers take the witness's place. Texts are the swarm's: each says whose it
is, when it was due, and whether it came to harm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic_ns
from zlib import crc32

from chatroom.swarm.wire.payload import Mark, Payload

#: After a fault is over, so long counts as its window still: clients are coming back.
SETTLING_US = 1_000_000


@dataclass
class Faults:
    """What must not be. Each kind by what it is said about, the first few of them."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    def add(self, kind: str, example: str, count: int = 1) -> None:
        """Note it."""
        self.counts[kind] = self.counts.get(kind, 0) + count
        if len(self.examples) < 20:
            self.examples.append(f"{kind}: {example}")


class Windows:
    """When the room was under a fault: latencies are measured outside."""

    def __init__(self) -> None:
        self.is_open = True  # until everybody is in
        self._clear_from_us = 0

    def open(self) -> None:
        """A fault begins."""
        self.is_open = True

    def close(self) -> None:
        """It is over."""
        self.is_open = False
        self._clear_from_us = monotonic_ns() // 1000 + SETTLING_US

    def outside(self, due_us: int) -> bool:
        """Was the room well from that time until now?"""
        return not self.is_open and due_us >= self._clear_from_us


@dataclass(frozen=True)
class Late:
    """What took long outside faults."""

    late_us: int = 0
    seq: int = 0
    who: str = ""
    at_us: int = 0  #: when it came


class Ledger:
    """See the module. No I/O."""

    def __init__(self, payload: Payload) -> None:
        self.payload = payload
        self.windows = Windows()
        self.faults = Faults()
        self.deliveries = 0
        self.acks = 0
        self.not_stored = 0
        self.worst = Late()
        #: Talkers who say so much at once that their lines wait, as they should.
        self.untimed: set[int] = set()
        self.messages: dict[int, Mark] = {}  #: by number
        self.numbers: dict[tuple[int, int], int] = {}  #: by talker and its count
        self.acked: dict[int, tuple[int, int]] = {}  #: by number: talker and its count
        self.last_acked = 0
        self.last_seq = 0
        self.endangered_to = 0  #: somebody has touched the journal: up to here it may be a gap
        self._doubtful_to = 0  # up to here what was not acked may be a gap
        self._events: dict[int, int] = {}  # checksum of each event, by number

    @property
    def event_count(self) -> int:
        """How many different ones somebody has had."""
        return len(self._events)

    def see(self, seq: int, line: bytes, text: bytes | None, who: str) -> None:
        """An event came to somebody, live, in a replay or out of the history.

        Args:
            seq: its number.
            line: its JSON, without its end.
            text: what a message in it says; None: it is no message.
            who: for the report.
        """
        checksum = crc32(line)
        known = self._events.setdefault(seq, checksum)
        if known != checksum:
            self.faults.add("altered", f"#{seq} came to {who} as another event: {line[:200]!r}")
            return
        self.last_seq = max(self.last_seq, seq)
        if text is None or seq in self.messages:
            return
        mark = self.payload.read(text)
        if mark is None:
            if self.payload.left_traces_in(line):
                self.faults.add("altered", f"#{seq} came to {who} damaged: {line[:200]!r}")
            return
        self.messages[seq] = mark
        before = self.numbers.setdefault(mark[:2], seq)
        if before != seq:
            self.faults.add("doubled", f"talker {mark.talker}'s {mark.number}: #{before}, #{seq}")

    def hear(self, seq: int, line: bytes, text: bytes | None, who: str) -> None:
        """As `see`, for what came to a reader: counted."""
        self.see(seq, line, text, who)
        self.deliveries += 1

    def time(self, seq: int, who: str) -> None:
        """An event that was heard came as soon as it could: how long that took."""
        mark = self.messages.get(seq)
        if mark is None or mark.talker in self.untimed or not self.windows.outside(mark.due_us):
            return
        now_us = monotonic_ns() // 1000
        late_us = now_us - mark.due_us
        if late_us > self.worst.late_us:
            self.worst = Late(late_us, seq, who, now_us)

    def ack(self, seq: int, talker: int, number: int) -> None:
        """The server says that this is kept."""
        self.acks += 1
        if self.acked.setdefault(seq, (talker, number)) != (talker, number):
            self.faults.add("doubled", f"#{seq} was acked for two messages")
        self.last_acked = max(self.last_acked, seq)

    def miss(self, first: int, last: int, who: str) -> None:
        """A gap says that these are not in the history. It may be what was under way, or could not
        be stored, when a fault struck; what was acked is there.
        """
        for seq in range(first, last + 1):
            doubtful = seq not in self.acked and (self.windows.is_open or seq <= self._doubtful_to)
            if seq in self._events and seq > self.endangered_to and not doubtful:
                self.faults.add("lost", f"{who}: a gap for #{seq}, which somebody has")

    def lose(self, first: int, last: int, who: str) -> None:
        """The feed says that these are lost: so it may when the server was not well."""
        for seq in range(first, last + 1):
            mark = self.messages.get(seq)
            if mark is not None and self.windows.outside(mark.due_us):
                self.faults.add("lost", f"{who}: #{seq} was lost on the feed")

    def newest(self, seq: int, own: int | None) -> tuple[int, Mark] | None:
        """The newest message up to that number that is none of the talker `own`."""
        for number in range(seq, 0, -1):
            mark = self.messages.get(number)
            if mark is not None and mark.talker != own:
                return number, mark
        return None

    def is_own(self, seq: int, own: int | None) -> bool:
        """Is that a message of the talker `own`?"""
        mark = self.messages.get(seq)
        return mark is not None and mark.talker == own

    def doubt(self) -> None:
        """A fault is over: what was said until now and not acked may be missing."""
        self._doubtful_to = self.last_seq

    def endanger(self) -> None:
        """Somebody has destroyed what the journal has so far. All that was said has been heard by
        somebody, but an ack of it may come yet.
        """
        self.endangered_to = max(self.endangered_to, self.last_seq)
