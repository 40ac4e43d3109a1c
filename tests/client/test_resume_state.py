"""How far a client has come, by events and acks: nothing twice, nothing left out."""

from __future__ import annotations

import time

from chatroom.client.options import ConnectOptions
from chatroom.client.resume import OWN, ResumeState


def state_at(after: int) -> ResumeState:
    state = ResumeState(ConnectOptions(after=after, resume=True))
    assert state.after == after
    return state


def test_an_event_is_new_once() -> None:
    state = state_at(1)
    assert [state.arrived(seq) for seq in (2, 2, 1, 3)] == [True, False, False, True]


def test_an_own_event_that_the_replay_brings_is_not_new() -> None:
    state = state_at(1)
    state.acked(3)
    assert state.after == 1  # what is before it has not arrived
    assert [state.arrived(seq) for seq in (2, 3, 4)] == [True, False, True]


def test_an_own_event_that_comes_next_need_not_arrive() -> None:
    state = state_at(1)
    state.acked(2)
    assert state.after == 2


def test_resuming_begins_where_a_statement_without_ack_may_stand() -> None:
    state = state_at(9)
    assert state.hello(None)["after"] == 9
    assert state.hello(5)["after"] == 5
    assert state.hello(12)["after"] == 9


def test_many_acks_ahead_of_a_long_replay_cost_no_time() -> None:
    """Each event looked at all of them: minutes for a day's replay behind a pasted book."""
    state = state_at(0)
    for seq in range(50_001, 50_001 + OWN):
        state.acked(seq)
    began = time.process_time()
    assert all(state.arrived(seq) for seq in range(1, 50_001))
    assert not any(state.arrived(seq) for seq in range(50_001, 50_001 + OWN))
    assert time.process_time() - began < 1  # it was 6
    assert state.after == 50_000 + OWN
