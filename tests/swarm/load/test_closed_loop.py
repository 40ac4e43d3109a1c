"""What a closed loop waits for: each message once, heard, lost or given up."""

from __future__ import annotations

from chatroom.swarm.audit.transcript import Transcript
from chatroom.swarm.figures.timeline import Timeline
from chatroom.swarm.load.load import Load, pacing_of
from chatroom.swarm.load.pacing import STALLED_US, ClosedLoop
from chatroom.swarm.load.talk import Talk
from chatroom.swarm.settings import SwarmSettings
from chatroom.swarm.wire.dialect import PlainDialect
from chatroom.swarm.wire.payload import Mark, Payload


class Script:
    """A transcript, and what a talker says and the witness hears of it."""

    def __init__(self, said: int) -> None:
        self.payload, timeline = Payload("4f2a", 60), Timeline()
        self.transcript = Transcript(PlainDialect(), self.payload, timeline)
        self.talk = Talk(PlainDialect(), self.payload, timeline, self.transcript)
        self.marks = [Mark(0, number, 1_000 + number) for number in range(said)]
        for mark in self.marks:
            self.transcript.expect(self.payload.write(mark), mark)

    def hear(self, *numbers: int) -> int:
        """The messages that count as come back after the witness has heard these."""
        for number in numbers:
            text = self.payload.write(self.marks[number])
            self.transcript.append(b"bot: %b\n" % text)
        return self.transcript.own_messages


def test_each_message_counts_once() -> None:
    script = Script(4)
    assert [script.hear(number) for number in range(4)] == [1, 2, 3, 4]
    assert script.hear(3) == 4  # doubled


def test_a_lost_message_is_not_waited_for_when_a_later_one_has_come() -> None:
    script = Script(5)
    assert script.hear(0, 3) == 4
    assert script.hear(1) == 4  # late, after all
    assert script.hear(4) == 5
    assert script.transcript.give_up() == 0


def test_what_comes_after_it_was_given_up_does_not_count_again() -> None:
    script = Script(4)
    script.hear(0)
    assert script.transcript.give_up() == 3
    assert script.hear(1, 2, 3) == 4


def test_what_was_said_before_the_witness_came_in_is_not_waited_for() -> None:
    script = Script(6)
    script.hear(2)
    assert script.transcript.outstanding == 5
    script.transcript.forget_unheard()
    assert script.transcript.outstanding == 3


def test_a_closed_loop_gives_up_after_a_pause_and_keeps_its_window() -> None:
    script = Script(3)
    script.hear(0)
    load = Load(script.talk, script.transcript, ClosedLoop(0))
    load.say_due(1)
    load.say_due(STALLED_US)
    assert load.given_up == 0
    load.say_due(2 + STALLED_US)
    assert load.given_up == 2
    loop = ClosedLoop(3)
    assert loop.due(5, under_way=1) == [5, 5]
    assert loop.due(5, under_way=4) == []
    assert not loop.is_stalled(10, heard=7)
    assert not loop.is_stalled(10 + STALLED_US, heard=7)
    assert loop.is_stalled(11 + STALLED_US, heard=7)
    assert not loop.is_stalled(12 + STALLED_US, heard=8)


def test_the_window_is_shared_by_the_processes_that_talk() -> None:
    work = SwarmSettings(bots=9, talkers=2, rate=None, in_flight=5, processes=3)
    loops = [
        pacing_of(work, rank, 3, talkers=talkers, begin_us=0)
        for rank, talkers in enumerate((1, 1, 0))
    ]
    shares = [len(loop.due(0, 0)) if isinstance(loop, ClosedLoop) else 0 for loop in loops]
    assert shares == [3, 2, 0]
