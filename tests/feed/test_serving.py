"""The server's side of the feed alone: sessions that begin, keys that end, floods of requests."""

from __future__ import annotations

import socket

import pytest
import trio
import trio.testing

from chatroom.event import encode_event
from chatroom.feed import broadcast
from chatroom.feed.broadcast import KEY_SECONDS, REQUESTS_AT_ONCE, Feed
from chatroom.journal import HistoryUnavailableError, Page
from chatroom.journal.memory import MemoryJournal
from chatroom.protocol import moldudp64 as mold
from chatroom.settings import FeedSettings
from tests.feed.live import PATIENCE_SECONDS, open_feed
from tests.journal.talk import said
from tests.ports import free_port

ANOTHER = "ANOTHERONE"


async def test_a_session_that_begins_has_none_of_the_last_one_in_memory() -> None:
    feed = Feed(FeedSettings(port=free_port()), 0, MemoryJournal(10), 0)
    feed.send(1, [encode_event(said(seq)) for seq in (1, 2)])
    feed.begin_session(ANOTHER, 1001)
    desk = feed._answering
    now = trio.current_time()
    assert desk.answer(mold.request(ANOTHER.encode(), 1001, 1), "a", now) is None  # not yet
    assert desk.answer(mold.request(ANOTHER.encode(), 2, 1), "a", now) == (ANOTHER.encode(), 2, 1)
    feed.send(1001, [encode_event(said(1001))])
    answer = desk.answer(mold.request(ANOTHER.encode(), 1001, 1), "a", now)
    assert isinstance(answer, bytes)
    assert mold.decode_packet(answer).session == ANOTHER.encode()
    feed.close()


async def test_a_new_key_is_good_for_its_whole_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    feed = Feed(FeedSettings(port=free_port()), 0, MemoryJournal(10), 0, sealed=True)
    await trio.sleep(KEY_SECONDS - 10)
    before = feed.where(private=True)
    feed.revoke_keys()
    after = feed.where(private=True)
    assert (before.seconds, after.seconds) == (10, KEY_SECONDS)
    assert after.key not in (before.key, before.next_key)
    feed.close()


async def test_a_key_that_was_revoked_is_not_turned_before_its_time(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    feed = Feed(FeedSettings(port=free_port()), 0, MemoryJournal(10), 0, sealed=True)
    await nursery.start(feed.run)
    await trio.sleep(KEY_SECONDS - 10)
    feed.revoke_keys()
    key = feed.where(private=True).key
    await trio.sleep(20)
    assert feed.where(private=True).key == key
    await trio.sleep(KEY_SECONDS)
    assert feed.where(private=True).key != key
    nursery.cancel_scope.cancel()


async def test_a_flood_of_requests_lets_the_room_have_its_turn(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "FLOOD_PAUSE_SECONDS", 3600)
    feed = await open_feed(nursery, free_port())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        for _ in range(REQUESTS_AT_ONCE + 8):
            flood.sendto(b"nonsense", ("127.0.0.1", feed.request_port))
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert feed.statistics().requests == REQUESTS_AT_ONCE
    nursery.cancel_scope.cancel()


async def test_a_sealed_feed_is_sealed_for_the_session_that_begins() -> None:
    for sealed in (False, True):
        feed = Feed(FeedSettings(port=free_port()), 0, MemoryJournal(10), 0, sealed=sealed)
        feed.begin_session(ANOTHER, 1001)
        assert feed.sealed is sealed
        assert feed.description()["feed_sealed"] == ("yes" if sealed else "no")
        assert feed._sealer is None or feed._sealer.session == ANOTHER.encode()
        feed.close()


async def test_a_disk_that_fails_once_is_asked_again(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = MemoryJournal(10)
    journal.append([said(1)], [], None)
    fails = [True, False]
    after = journal.after

    async def failing(seq: int, limit: int) -> Page:
        if fails.pop(0):
            raise HistoryUnavailableError("the disk is gone")
        return await after(seq, limit)

    monkeypatch.setattr(journal, "after", failing)
    feed = Feed(FeedSettings(port=free_port()), 0, journal, 1)
    await nursery.start(feed.run)
    request = mold.request(journal.session.encode(), 1, 1)
    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        await asker.sendto(request, ("127.0.0.1", feed.request_port))
        await asker.sendto(request, ("127.0.0.1", feed.request_port))
        with trio.fail_after(PATIENCE_SECONDS):
            answer = mold.decode_packet(await asker.recv(65536))
    assert (answer.sequence, len(answer.messages)) == (1, 1)
    assert feed.statistics().refusals == {"failed": 1}
    nursery.cancel_scope.cancel()
