"""The goodbye waits for what is owed, unless nobody would take it."""

from __future__ import annotations

from chatroom.event import CloseReason
from chatroom.protocol.requests import Ending, Request
from tests.server.paper import PaperRoom, enters_json


def _leaves_owed(reason: CloseReason = CloseReason.QUIT) -> PaperRoom:
    """A room of one, whose connection has ended while two acks were owed to it."""
    room = PaperRoom(1)
    room.turn([(0, enters_json())])
    room.connections[0].owed = 2
    room.turn([(0, [Ending(reason, "")])])
    return room


def _pay(room: PaperRoom, acks: int) -> None:
    room.parts.endings._farewell.pay(room.connections[0], acks)


def test_it_is_said_after_the_last_ack() -> None:
    room = _leaves_owed()
    assert room.connections[0].close_reason is CloseReason.QUIT
    _pay(room, 1)
    assert room.outboxes[0].last is None
    _pay(room, 1)
    assert b'"reason":"quit"' in (room.outboxes[0].last or b"")


def test_who_is_gone_is_not_waited_for() -> None:
    room = _leaves_owed(CloseReason.LOST)
    assert room.outboxes[0].last is not None
    _pay(room, 2)  # and it is said once


def test_who_does_not_read_its_acks_is_not_waited_for() -> None:
    room = _leaves_owed()
    room.report_slow(room.connections[0], "slow")
    room.turn([])
    assert b'"reason":"slow_reader"' in (room.outboxes[0].last or b"")
    _pay(room, 2)
    assert room.parts.endings.counts == {CloseReason.QUIT: 1}


def test_what_is_said_after_a_quit_is_not_heard() -> None:
    room = _leaves_owed()
    before = room.lines(0)
    room.turn([(0, [Request("message", "too late", id="1"), Request("ping")])])
    assert room.lines(0) == before
