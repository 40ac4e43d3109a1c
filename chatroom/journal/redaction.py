"""Taking the text of one event from the disk: out of its row, and out of the search index.

A search does not find it any more. Its single words, without their order, may stand in the file
until SQLite merges that part of the index: FTS5 overwrites them at once only from 3.42 on.
"""

from __future__ import annotations

import sqlite3

from chatroom.event import decode_event, encode_event, without_text

_UNINDEX = """
    INSERT INTO search (search, rowid, text)
    SELECT 'delete', ?1, ?2 FROM state WHERE indexed_to >= ?1
"""


def redact(connection: sqlite3.Connection, seq: int) -> None:
    """The event stays, without its text; one that is not there is passed over. In a transaction.

    Raises `sqlite3.Error`.
    """
    row = connection.execute("SELECT event FROM event WHERE seq = ?", (seq,)).fetchone()
    if row is None:
        return
    event = decode_event(row[0])
    if event.text:
        connection.execute(_UNINDEX, (seq, event.text))
        block = encode_event(without_text(event)).decode()
        connection.execute("UPDATE event SET event = ? WHERE seq = ?", (block, seq))
