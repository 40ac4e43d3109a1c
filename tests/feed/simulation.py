"""A server, a bad network and a listener in simulated time: everything follows from one seed."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import count, pairwise
from random import Random

from chatroom.feed.reassembly import Outcome, Reassembly, SessionBegan, SessionEnded
from chatroom.feed.stream import Delivered, Lost
from chatroom.protocol import moldudp64 as mold

SESSION = b"SIMULATED0"
HEARTBEAT_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0)


def message(sequence: int) -> bytes:
    """What every test sends under this number."""
    return b"message %d" % sequence


@dataclass
class Network:
    """What happens to each datagram, in both directions."""

    loss: float = 0.0
    duplication: float = 0.0
    longest_delay_seconds: float = 0.0

    def copies(self, random: Random) -> Iterable[float]:
        """How many arrive, and after how long each."""
        if random.random() < self.loss:
            return
        for _ in range(2 if random.random() < self.duplication else 1):
            yield random.uniform(0.0001, 0.0001 + self.longest_delay_seconds)


@dataclass
class Simulation:
    """Runs events in the order of their times."""

    network: Network
    listener: Reassembly
    random: Random
    keep: int = 1 << 20  #: how many of the newest messages the server can send again
    datagram_bytes: int = 200
    session: bytes = SESSION
    lines: int = 1  #: on how many groups the feed comes, each with a network of its own
    now: float = 0.0
    sent: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    questions: list[mold.Request] = field(default_factory=list)
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _batch: int = 0

    def at(self, time: float, act: Callable[[], None]) -> None:
        """Have `act` called at `time`."""
        heapq.heappush(self._events, (time, next(self._order), act))

    def send(self, messages: int) -> None:
        """The server sends a batch, and heartbeats until the next one."""
        self._batch += 1
        blocks = [mold.block(message(self.sent + 1 + i)) for i in range(messages)]
        for datagram in mold.packets(self.session, self.sent + 1, blocks, self.datagram_bytes):
            self.to_group(datagram)
        self.sent += messages
        self._beat(self._batch, 0)

    def _beat(self, batch: int, number: int) -> None:
        if batch != self._batch:
            return
        if number:
            self.to_group(mold.heartbeat(self.session, self.sent + 1))
        wait = HEARTBEAT_SECONDS[min(number, len(HEARTBEAT_SECONDS) - 1)]
        self.at(self.now + wait, lambda: self._beat(batch, number + 1))

    def to_group(self, datagram: bytes) -> None:
        """Send to the listener through the bad network."""
        for line in range(self.lines):
            for delay in self.network.copies(self.random):
                self.at(self.now + delay, partial(self._arrive, datagram, line))

    def _arrive(self, datagram: bytes, line: int) -> None:
        self.listener.receive(datagram, self.now, line=line)
        self.outcomes += self.listener.take_outcomes()

    def _arrive_answer(self, datagram: bytes) -> None:
        self.listener.receive_answer(datagram, self.now)
        self.outcomes += self.listener.take_outcomes()

    def _ask(self, question: bytes) -> None:
        self.questions.append(mold.decode_request(question))
        for delay in self.network.copies(self.random):
            self.at(self.now + delay, lambda: self._serve(question))

    def _serve(self, question: bytes) -> None:
        session, first, wanted = mold.decode_request(question)
        last = min(self.sent, first + wanted - 1)
        if session != self.session or first <= self.sent - self.keep or first > last:
            return
        blocks = [mold.block(message(number)) for number in range(first, last + 1)]
        answer = next(mold.packets(session, first, blocks, self.datagram_bytes))
        for delay in self.network.copies(self.random):
            self.at(self.now + delay, lambda: self._arrive_answer(answer))

    def run(self, until: float) -> None:
        """Let everything happen that is due before `until`."""
        while True:
            event_time = self._events[0][0] if self._events else until
            time = min(max(self.now, self.listener.deadline), event_time)
            if time >= until:
                self.now = until
                return
            self.now = time
            if event_time == time:
                heapq.heappop(self._events)[2]()
            for question in self.listener.poll(self.now):
                self._ask(question.packet)
            self.outcomes += self.listener.take_outcomes()

    def check(self, first: int, last: int) -> list[Lost]:
        """Every number from `first` to `last` was delivered, as sent, or lost: once, in order.

        Returns what was lost.
        """
        lost = []
        expected = first
        for outcome in self.outcomes:
            if isinstance(outcome, Delivered):
                assert outcome == (expected, message(expected))
                expected += 1
            elif isinstance(outcome, Lost):
                assert outcome.first == expected <= outcome.last
                expected = outcome.last + 1
                lost.append(outcome)
            else:
                assert isinstance(outcome, SessionBegan | SessionEnded)
        assert expected == last + 1
        assert all(later.first > earlier.last for earlier, later in pairwise(lost))
        return lost
