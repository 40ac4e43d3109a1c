"""A session that begins while the server runs, as a log that has lost something makes it begin."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from chatroom.errors import ChatroomError
from chatroom.event import Event
from chatroom.journal.memory import MemoryJournal
from chatroom.server.cluster.numbering import Numbering
from chatroom.server.counters import Counters
from chatroom.server.fanout.announcer import Announcer
from chatroom.server.fanout.fanout import Fanout
from chatroom.server.fanout.farewell import Farewell


class PaperFeed:
    """See `chatroom.server.fanout.fanout.Feed`: says in order what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def send(self, first_seq: int, messages: Sequence[bytes], /) -> None:
        self.told.append((first_seq, len(messages)))

    def revoke_keys(self) -> None:
        raise AssertionError

    def redact(self, seq: int, /) -> None:
        raise AssertionError

    def begin_session(self, name: str, first_seq: int, /) -> None:
        self.told.append((name, first_seq))


def said(seq: int) -> Event:
    return Event(seq, "2026-11-25T12:00:00.000Z", "message", "bob", "hello")


def test_a_number_that_this_server_has_passed_is_not_gone_back_to() -> None:
    journal, skipped = MemoryJournal(10), list[tuple[int, str]]()
    journal.append([said(seq) for seq in (1, 2, 3)], [], None)
    numbering = Numbering(journal)
    for seq in (2, 3, 9):
        numbering.skip_to(seq, "ANOTHERONE", lambda *place: skipped.append(place))
    assert skipped == [(3, "ANOTHERONE"), (9, "ANOTHERONE")]
    assert (numbering.last, numbering.session) == (9, "ANOTHERONE")


def test_the_journal_of_another_room_does_not_go_on_in_this_one() -> None:
    journal = MemoryJournal(10)
    journal.append([said(1)], [], None)
    numbering = Numbering(journal)
    replica = SimpleNamespace(session="ANOTHERONE")
    numbering.begin(replica)  # type: ignore[arg-type]
    numbering.skip_to(9, "ANOTHERONE", lambda *place: pytest.fail(f"skipped to {place}"))
    with pytest.raises(ChatroomError, match="another room"):
        numbering.check()


def test_the_feed_goes_over_to_it_between_the_same_numbers() -> None:
    feed, journal = PaperFeed(), MemoryJournal(10)
    fanout = Fanout(feed, Counters(), journal.give_out, keeps_json=False)
    announcer = Announcer(fanout, journal, Farewell(fanout, list, 5.0))
    announcer.begin()
    announcer.publish(said(1))
    announcer.skip_to(1_000_001, "ANOTHERONE")
    announcer.publish(said(1_000_002))
    announcer.skip_to(1_000_009, "ANOTHERONE")  # a gap within it
    announcer.flush()
    announcer.remember()
    announcer.end()
    assert feed.told == [(1, 1), ("ANOTHERONE", 1_000_002), (1_000_002, 1)]
    assert journal.session == "ANOTHERONE"
