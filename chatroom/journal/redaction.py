"""Taking the text of one event from the disk: out of its row, and out of the search index.

A search does not find it any more. FTS5 keeps its single words, without their order, until it
merges that part of the index; `merge_words` makes it do so, in portions, while nothing waits.
"""

from __future__ import annotations

import sqlite3

from chatroom.event import decode_event, encode_event, without_text

#: Pages of the index that one portion of a merge writes: some milliseconds.
_MERGE_PAGES = 100

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
        connection.execute("UPDATE state SET words_left = -1 WHERE indexed_to >= ?", (seq,))


def words_are_left(connection: sqlite3.Connection) -> bool:
    """Words of a redacted text may be in the index still."""
    ((left,),) = connection.execute("SELECT words_left FROM state")
    return bool(left)


def merge_words(connection: sqlite3.Connection) -> bool:
    """Have FTS5 merge a portion of its index, where words are left; true once none are. In a
    transaction, with secure deletion on. Raises `sqlite3.Error`.

    As FTS5's documentation has it for an `optimize` in portions: one merge of a negative number of
    pages gathers all of the index, then as many of a positive one as change something.
    """
    ((left,),) = connection.execute("SELECT words_left FROM state")
    before = connection.total_changes
    connection.execute(
        "INSERT INTO search (search, rank) VALUES ('merge', ?)", (left * _MERGE_PAGES,)
    )
    done = left > 0 and connection.total_changes - before < 2
    connection.execute("UPDATE state SET words_left = ?", (0 if done else 1,))
    return done
