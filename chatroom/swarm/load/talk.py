"""What the talkers say: whose turn it is, what was sent, and how late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chatroom.swarm.audit.transcript import ROLL_CALLER, Transcript
from chatroom.swarm.bots.poller import now_us
from chatroom.swarm.bots.tcp import TcpBot
from chatroom.swarm.figures.timeline import Timeline
from chatroom.swarm.wire.dialect import Dialect
from chatroom.swarm.wire.payload import Mark, Payload


class Talk:
    """The talkers of one process, who speak in turn."""

    def __init__(
        self, dialect: Dialect, payload: Payload, timeline: Timeline, transcript: Transcript
    ) -> None:
        self.talkers: dict[int, TcpBot] = {}
        self.sent: Counter[int] = Counter()  #: messages by talker, from the roll call on
        self.total = 0  #: all of them
        self._dialect = dialect
        self._payload = payload
        self._timeline = timeline
        self._transcript = transcript
        self._turn = 0
        self._order: list[int] = []

    def add(self, number: int, bot: TcpBot) -> None:
        """Let a bot talk, as talker `number`."""
        self.talkers[number] = bot
        self._order.append(number)

    def say(self, dues: Sequence[int], *, at_once: bool = False) -> None:
        """Send a message for each of the moments (monotonic, µs) at which one was due.

        With `at_once` they are due when it comes to their turn: in a closed loop there is no other
        clock than the talker's own, and what it thinks before it speaks is no latency of anyone's.
        """
        order, turn = self._order, self._turn
        self._turn = (turn + len(dues)) % len(order)
        self.total += len(dues)
        if at_once:
            dues = [now_us()] * len(dues)
        # All are written before the first is sent, and each talker's share goes in one send: so
        # they come to the server as close together as a program can send them.
        shares = []
        for place in range(turn, turn + min(len(order), len(dues))):
            share = dues[place - turn :: len(order)]
            talker = order[place % len(order)]
            shares.append((self.talkers[talker], self._write(talker, share), share))
        for bot, requests, share in shares:
            at_us = now_us()
            # What the kernel does not take now is the server's doing, not a lag of ours.
            bot.say(requests)
            self._note(share, at_us)

    def call_the_roll(self, due_us: int) -> None:
        """Send a message of the first talker and of nobody else: the witness may not be in the
        room yet, and must hear everything that the others say.
        """
        self.total += 1
        requests = self._write(ROLL_CALLER, [due_us])
        at_us = now_us()
        self.talkers[ROLL_CALLER].say(requests)
        self._note([due_us], at_us)

    def _write(self, talker: int, dues: Sequence[int]) -> bytes:
        """The requests for one talker's messages."""
        name, first = self.talkers[talker].name, self.sent[talker]
        self.sent[talker] = first + len(dues)
        requests = []
        for number, due_us in enumerate(dues, first):
            mark = Mark(talker, number, due_us)
            text = self._payload.write(mark)
            self._transcript.expect(text, mark)
            requests.append(self._dialect.request(name, text))
        return b"".join(requests)

    def _note(self, dues: Sequence[int], at_us: int) -> None:
        """Write down what was sent, and the lag."""
        start = 0
        while start < len(dues):
            due_us, stop = dues[start], start + 1
            while stop < len(dues) and dues[stop] == due_us:
                stop += 1
            interval = self._timeline.at(due_us)
            interval.sent += stop - start
            interval.lag_counts[at_us - due_us] += stop - start
            start = stop
