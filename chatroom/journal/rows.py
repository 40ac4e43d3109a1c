"""What a journal's tables say, asked of any connection to it. All raises `sqlite3.Error`."""

from __future__ import annotations

import sqlite3

from chatroom.event import Event, decode_event


def sessions(connection: sqlite3.Connection) -> dict[str, int]:
    """All sessions, in order, and the first number of each. None is ever taken out. Where nothing
    was said in one, the next has the same first number.
    """
    rows = connection.execute("SELECT name, first_seq FROM session ORDER BY first_seq, rowid")
    return dict(rows.fetchall())


def last_accounted_for(connection: sqlite3.Connection, first_kept: int) -> int:
    """The number up to which every one has an event or is in a gap, or was removed."""
    (event,) = connection.execute("SELECT max(seq) FROM event").fetchone()
    (gap,) = connection.execute("SELECT max(last_seq) FROM gap").fetchone()
    return max(event or 0, gap or 0, first_kept - 1)


def newest(connection: sqlite3.Connection, count: int, last_seq: int) -> list[Event]:
    """The last events, at most `count`, without a hole up to `last_seq`."""
    events: list[Event] = []
    rows = connection.execute("SELECT event FROM event ORDER BY seq DESC LIMIT ?", (count,))
    for (event,) in rows:
        events.append(decode_event(event))
        if events[-1].seq != last_seq - len(events) + 1:
            events.pop()
            break
    return events[::-1]
