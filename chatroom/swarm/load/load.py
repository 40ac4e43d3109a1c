"""The load of one process: what is due is said, by the clock or in answer to what is heard."""

from __future__ import annotations

from chatroom.swarm.audit.follower import Follower
from chatroom.swarm.audit.transcript import Transcript
from chatroom.swarm.load.pacing import ClosedLoop, OpenLoop, Pacing
from chatroom.swarm.load.talk import Talk
from chatroom.swarm.settings import SwarmSettings


class Load:
    """Says what is due, from its making on until `end`.

    Args:
        talk: who says it.
        transcript: tells how many of the messages have come back.
        pacing: tells when they are due.
    """

    def __init__(self, talk: Talk, transcript: Transcript, pacing: Pacing) -> None:
        self.given_up = 0  #: messages that a closed loop did not wait for any more
        self.answers = pacing.answers  #: is what is due next to be said as soon as one is heard?
        self._talk = talk
        self._transcript = transcript
        self._pacing = pacing
        # What is still on its way of the roll call is under way too.
        transcript.forget_unheard()
        self._said_before = talk.total - transcript.outstanding
        self._heard_before = transcript.own_messages
        self._ended = False

    def say_due(self, now_us: int) -> int | None:
        """Say what was due up to now; returns when more is, if the clock alone decides that."""
        if self._ended:
            return None
        if self._pacing.is_stalled(now_us, self._transcript.own_messages):
            self.given_up += self._transcript.give_up()
        said = self._talk.total - self._said_before
        heard = self._transcript.own_messages - self._heard_before
        if dues := self._pacing.due(now_us, said - heard):
            self._talk.say(dues, at_once=self.answers)
        return self._pacing.next_us()

    def end(self, due_before_us: int) -> None:
        """No more; but what was due before that moment by the clock is said, however late."""
        self._pacing.end()
        self.say_due(due_before_us - 1)
        self._ended = True


class PromptedWitness:
    """The witness's ear: in a closed loop, what is due next is said as soon as it has heard.

    So the server has something to do again before the other readers are read: with one in flight,
    it is idle for as short a time as with a load generator in C, and does not fall asleep (that
    made 330 µs of 190), and with many, the server and the swarm work at the same time.
    """

    def __init__(self, witness: Follower) -> None:
        self._witness = witness
        self.load: Load | None = None

    def hear(self, at_us: int, chunk: memoryview, /) -> None:
        """See `chatroom.swarm.bots.bot.Ear`."""
        self._witness.hear(at_us, chunk)
        if self.load is not None and self.load.answers:
            self.load.say_due(at_us)


def pacing_of(
    work: SwarmSettings, rank: int, processes: int, *, talkers: int, begin_us: int
) -> Pacing | None:
    """The share of the load that a process has with so many of the talkers; None: nothing."""
    if not talkers:
        return None
    if work.in_flight is not None:
        # Talkers are dealt out one by one, so the first so many processes have some.
        speaking = min(processes, work.talkers)
        return ClosedLoop(len(range(rank, work.in_flight, speaking)))
    share = (work.rate or 0.0) * talkers / work.talkers
    # Processes take turns instead of speaking at once.
    shift = int(rank / max(work.rate or 1.0, 1e-9) * 1e6)
    return OpenLoop(share, begin_us + shift) if share else None
