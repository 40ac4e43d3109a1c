"""Pages put together from what the disk has and what memory has, with every hole said. Sans I/O."""

from __future__ import annotations

from collections.abc import Sequence

from chatroom.event import Event, Gap
from chatroom.journal import Page


def page_after(seq: int, limit: int, sources: Sequence[Sequence[Event]], last_seq: int) -> Page:
    """The first `limit` events above `seq`.

    Each source has the first `limit` + 1 of its events above `seq`; what is in none of them, up to
    `last_seq`, is missing.
    """
    events = _merged(sources)
    more = len(events) > limit
    events = events[:limit]
    end = (events[-1].seq if events else seq) if more else last_seq
    return Page(_with_gaps(seq + 1, events, end), more)


def page_before(seq: int, limit: int, sources: Sequence[Sequence[Event]], first_kept: int) -> Page:
    """The last `limit` events below `seq`.

    Each source has the last `limit` + 1 of its events below `seq`; what is in none of them, down to
    `first_kept`, is missing. History begins there: what is below is not said to be.
    """
    events = _merged(sources)
    more = len(events) > limit
    events = events[max(0, len(events) - limit) :]
    start = (events[0].seq if events else seq) if more else first_kept
    return Page(_with_gaps(start, events, seq - 1), more)


def page_of_found(limit: int, events: Sequence[Event]) -> Page:
    """The last `limit` of the events that a search has found, of which there are `limit` + 1 if
    there are more. What is between them is not missing.
    """
    return Page(events[max(0, len(events) - limit) :], more=len(events) > limit)


def _merged(sources: Sequence[Sequence[Event]]) -> list[Event]:
    by_seq = {event.seq: event for source in sources for event in source}
    return [by_seq[seq] for seq in sorted(by_seq)]


def _with_gaps(first: int, events: Sequence[Event], last: int) -> Sequence[Event | Gap]:
    """The numbers from `first` to `last`: `events`, and gaps where there are none.

    There may be events beyond: what was written or removed while the disk was read.
    """
    if (
        events
        and events[0].seq <= first
        and events[-1].seq >= last
        and events[-1].seq - events[0].seq + 1 == len(events)
    ):
        return events
    items: list[Event | Gap] = []
    expected = first
    for event in events:
        if event.seq > expected:
            items.append(Gap(expected, event.seq - 1))
        items.append(event)
        expected = event.seq + 1
    if expected <= last:
        items.append(Gap(expected, last))
    return items
