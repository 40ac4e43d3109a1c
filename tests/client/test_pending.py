"""What waits for an answer, when the connection breaks before it comes."""

from __future__ import annotations

import pytest
import trio

from chatroom.client.errors import RoomClosed, Unconfirmed
from chatroom.client.pending import OUTSTANDING, PendingRequests
from chatroom.client.request import PendingRequest
from chatroom.event import Event


def said(pending: PendingRequests, *texts: str, after: int = 0) -> list[PendingRequest]:
    """Statements that were sent and have no answer."""
    requests = [pending.add("message", {"text": text}, placed=False) for text in texts]
    assert pending.take(after)
    return requests


def renamed(pending: PendingRequests, to: str) -> PendingRequest:
    request = pending.add("rename", {"to": to}, placed=False)
    assert pending.take(0)
    return request


def message(seq: int, nick: str, text: str) -> Event:
    return Event(seq, "t", "message", nick, text)


def test_what_nobody_waits_for_is_not_said_a_second_time() -> None:
    pending = PendingRequests()
    abandoned, wanted = said(pending, "a", "b")
    assert not pending.withdraw(abandoned)
    pending.disconnected("alice")
    pending.settle(heard=False)
    assert isinstance(abandoned.error, Unconfirmed)
    assert pending.take(0) == wanted.record


def test_a_topic_that_nobody_waits_for_has_its_ack_and_is_not_asked_for_again() -> None:
    pending = PendingRequests()
    acked, broken = (pending.add("topic", {"text": text}, placed=False) for text in "ab")
    assert pending.take(0)
    assert not pending.withdraw(acked)
    assert not pending.withdraw(broken)
    assert pending.acked(acked.id, 1) is acked
    pending.disconnected("alice")
    assert (pending.take(0), len(pending)) == (b"", 0)


def test_the_name_on_the_first_connection_that_broke_is_the_one() -> None:
    """The second one may be under a guest's name, and has said nothing."""
    pending = PendingRequests()
    (first,) = said(pending, "a")
    pending.disconnected("alice")
    (second,) = said(pending, "b")
    pending.disconnected("guest7")
    assert pending.unconfirmed_nick == "alice"
    assert not pending.look_up(message(1, "guest7", "a"))
    assert pending.look_up(message(2, "alice", "a"))
    assert first.answer == 2
    assert not second.answered.is_set()


def test_acks_of_an_earlier_log_hide_nothing_of_the_new_one() -> None:
    pending = PendingRequests()
    acked, _ = said(pending, "a", "b", after=499)
    assert pending.acked(acked.id, 500) is acked
    pending.disconnected("alice")
    assert pending.lowest_unconfirmed() == 500
    pending.settle(heard=False)
    pending.forget_numbers()
    (again,) = [request for request in pending.statements() if request.fields["text"] == "b"]
    pending.take(2)
    pending.disconnected("alice")
    assert pending.lowest_unconfirmed() == 2
    assert pending.look_up(message(3, "alice", "b"))
    assert again.answer == 3


def test_what_follows_a_rename_that_was_heard_is_looked_for_under_the_new_name() -> None:
    pending = PendingRequests()
    rename = renamed(pending, "ｂｏｂ")  # noqa: RUF001  # which the room shows as bob
    (after_it,) = said(pending, "hi")
    pending.disconnected("alice")
    assert pending.look_up(Event(1, "t", "rename", "alice", to="bob"))
    assert not pending.look_up(message(2, "alice", "hi"))
    assert pending.look_up(message(3, "bob", "hi"))
    assert after_it.answer == 3
    assert pending.settle(heard=False) == "bob"
    assert not rename.answered.is_set()  # not before the name is ours here too
    pending.name_taken(None)
    assert (rename.answer, rename.error, len(pending)) == (1, None, 0)


async def test_whatever_way_a_request_leaves_its_place_is_free_again() -> None:
    pending = PendingRequests()

    def add(kind: str, **fields: str | int) -> PendingRequest:
        pending.take_place_nowait()
        return pending.add(kind, fields, placed=True)

    for _ in range(OUTSTANDING):
        withdrawn = add("message", text="withdrawn")
        assert pending.withdraw(withdrawn)

        acked, asked, cancelled = add("message", text="a"), add("who"), add("ping")
        heard, unheard, rename = add("message", text="b"), add("action", text="c"), None
        rename = add("rename", to="bob")
        pending.take(0)
        assert pending.acked(acked.id, 1) is acked
        assert pending.answered(asked.id) is asked
        pending.withdraw(cancelled)
        pending.disconnected("alice")
        assert pending.look_up(message(2, "alice", "b"))
        assert heard.answer == 2
        pending.withdraw(unheard)
        pending.settle(heard=False)
        assert isinstance(unheard.error, Unconfirmed)
        pending.take(0)
        assert pending.acked(rename.id, 3) is rename
        add("message", text="queued")
        pending.fail_all(RoomClosed("the end"))
        assert len(pending) == 0
    for _ in range(OUTSTANDING):
        pending.take_place_nowait()
    with pytest.raises(trio.WouldBlock):
        pending.take_place_nowait()
