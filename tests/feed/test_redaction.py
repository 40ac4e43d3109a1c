"""What was redacted is not sent again."""

from __future__ import annotations

from chatroom.event import Event, decode_event, encode_event
from chatroom.feed.broadcast import Feed
from chatroom.journal.memory import MemoryJournal
from chatroom.settings import FeedSettings


async def test_an_answer_has_the_number_and_not_the_text() -> None:
    settings = FeedSettings(port=20_000, any_request_port=True)
    feed = Feed(settings, 0, MemoryJournal(10), 0)
    try:
        said = [Event(seq, "T", "message", "bob", f"text {seq}") for seq in (1, 2, 3)]
        feed.send(1, [encode_event(event) for event in said])
        for seq in (2, 7):
            feed.redact(seq)
        kept = [decode_event(block[2:]) for block in feed._store.get(1, 9)]
        assert [event.text for event in kept] == ["text 1", "", "text 3"]
        assert feed._store._bytes == sum(map(len, feed._store.get(1, 9)))
    finally:
        feed.close()
