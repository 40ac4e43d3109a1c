"""Whose JSON is made: that of the journal and the feed also when no reader wants any."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from chatroom.event import Event
from chatroom.server.counters import Counters
from chatroom.server.fanout.fanout import Fanout
from tests.server.test_audience import Bare, Outbox, Reader

if TYPE_CHECKING:
    from chatroom.server.connection import Connection

EVENT = Event(1, "2026-11-25T12:00:00.000000Z", "message", "bob", "hello")


class Json(Bare):
    """A format whose records are the JSON of events."""

    of_json = True

    def event(self, event: Event, block: bytes) -> bytes:
        return block + b"\n"


class JsonReader(Reader):
    format = Json()


def test_when_the_last_json_reader_has_gone_the_journal_still_gets_its_json() -> None:
    taken: list[bytes] = []

    def take(records: bytes) -> int:
        taken.append(records)
        return len(records)

    for keeps_json in (True, False):
        fanout = Fanout(None, Counters(), lambda seq: None, keeps_json=keeps_json)
        reader = cast("Connection", JsonReader(Outbox(take)))
        fanout.enter(reader)
        fanout.publish(EVENT)
        fanout.flush()
        fanout.take_events()
        fanout.leave(reader)
        fanout.publish(EVENT)
        _, blocks = fanout.take_events()
        assert bool(blocks and blocks[0]) is keeps_json
    assert len(taken) == 2
