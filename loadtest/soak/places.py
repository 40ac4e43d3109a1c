"""Where readers stand: each kind of stream against what its protocol promises."""

from __future__ import annotations

from time import monotonic_ns

from chatroom.swarm.wire.payload import Mark
from loadtest.soak.ledger import Ledger

#: A reader without numbers is judged when it has so many messages, but for the last few, which
#: those with numbers may have yet to come.
JUDGED_AT = 4096
KEPT = 1024


class NumberedPlace:
    """A stream of numbered events: none is missing, none comes twice, all come in order.

    Args:
        ledger: of the whole room.
        who: for the report.
        own: the talker that does not get its own messages back; None: it gets everything.
    """

    def __init__(self, ledger: Ledger, who: str, own: int | None = None) -> None:
        self.session = ""
        self.live_from = 0  #: what comes from there on is not of a replay
        self.last = 0  #: the last number that was received or said to be missing
        self._ledger = ledger
        self._who = who
        self._own = own
        self._skipped: list[tuple[int, int]] = []

    def enter(self, session: str, last: int) -> None:
        """From here on: what follows `last` comes next."""
        self.session, self.last = session, last

    def take(self, seq: int, line: bytes, text: bytes | None) -> None:
        """The next event."""
        faults, expected = self._ledger.faults, self.last + 1
        self._ledger.hear(seq, line, text, self._who)
        if seq >= self.live_from:
            self._ledger.time(seq, self._who)
        if seq < expected:
            faults.add("doubled", f"{self._who} got #{seq} after #{self.last}")
            return
        if seq > expected:
            if self._own is None:
                faults.add("lost", f"{self._who} got #{seq} after #{self.last}", seq - expected)
            else:
                self._skipped.append((expected, seq))
        self.last = seq

    def skip(self, first: int, last: int) -> None:
        """A gap: these are missing, and it is said."""
        expected = self.last + 1
        if first > expected:
            if self._own is None:
                self._ledger.faults.add(
                    "lost", f"{self._who}: a gap from #{first}, not #{expected}"
                )
            else:
                self._skipped.append((expected, first))
        self.last = max(self.last, last)

    def has_heard(self, seq: int) -> bool:
        """Has it all up to that number, but for its own?"""
        return all(
            self._own is not None and self._ledger.is_own(number, self._own)
            for number in range(self.last + 1, seq + 1)
        )

    def judge(self) -> None:
        """What was passed over has to be the talker's own. Called when the room has settled."""
        for first, end in self._skipped:
            for seq in range(first, end):
                mark = self._ledger.messages.get(seq)
                if mark is not None and mark.talker != self._own:
                    self._ledger.faults.add("lost", f"{self._who} never got #{seq}")
        self._skipped.clear()


class TextPlace:
    """A stream without numbers: the room's messages in their order, with none left out between.

    What nobody else has, because the server was killed on the way, cannot be judged.
    """

    def __init__(self, ledger: Ledger, who: str, own: int | None = None) -> None:
        self._ledger = ledger
        self._who = who
        self._own = own
        self._marks: list[Mark] = []
        self._since_us: int | None = None

    def enter(self) -> None:
        """It is in: what is said from now on comes to it."""
        self._since_us = monotonic_ns() // 1000

    def has_heard(self, seq: int) -> bool:
        """Has it the newest message up to that number that is not its own, or one that is newer?
        What was said before it came in it need not have.
        """
        newest = self._ledger.newest(seq, self._own)
        if newest is None or self._since_us is None or newest[1].due_us < self._since_us:
            return self._since_us is not None
        return bool(self._marks) and self._ledger.numbers.get(self._marks[-1][:2], 0) >= newest[0]

    def take(self, text: bytes) -> None:
        """The next message."""
        mark = self._ledger.payload.read(text)
        if mark is None:
            if self._ledger.payload.left_traces_in(text):
                self._ledger.faults.add("altered", f"{self._who}: {text[:200]!r}")
            return
        self._ledger.deliveries += 1
        self._marks.append(mark)
        if len(self._marks) >= JUDGED_AT:
            self._judge(self._marks[:-KEPT])
            # The last one that was judged is where the rest begins.
            del self._marks[: -KEPT - 1]

    def judge(self) -> None:
        """All that has come. Called when those with numbers have it too."""
        self._judge(self._marks)
        self._marks = []

    def _judge(self, marks: list[Mark]) -> None:
        ledger, last = self._ledger, 0
        received = [seq for mark in marks if (seq := ledger.numbers.get(mark[:2])) is not None]
        for seq in received:
            if seq <= last:
                kind = "doubled" if received.count(seq) > 1 else "reordered"
                ledger.faults.add(kind, f"{self._who} got #{seq} after #{last}")
            last = max(last, seq)
        if not received:
            return
        there = set(received)
        for seq in range(received[0], last):
            mark = ledger.messages.get(seq)
            if mark is not None and mark.talker != self._own and seq not in there:
                ledger.faults.add("lost", f"{self._who} never got #{seq}")
