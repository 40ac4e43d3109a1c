"""The tables of a journal, and the way from each version of them to the next."""

from __future__ import annotations

import sqlite3

#: In the file's header (`PRAGMA application_id`): says that it is ours. "Chat" in ASCII.
APPLICATION_ID = 0x43686174

#: Step n leads from version n to n + 1; a new file takes them all. Never change one that was
#: released: add another.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        # The event is kept as the JSON that everyone was sent, so that it can be repeated byte for
        # byte, and a page of history leaves SQLite as one string (see reader.py).
        "CREATE TABLE event (seq INTEGER PRIMARY KEY, event TEXT NOT NULL)",
        # Numbers that were given out, or may have been, and have no event.
        "CREATE TABLE gap (first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL)",
        "CREATE TABLE session (first_seq INTEGER NOT NULL, name TEXT NOT NULL UNIQUE)",
        # One row. `reserved_to`: no number above it was ever given out. `clean`: the last server
        # ended in good order, and gave out exactly the numbers up to `reserved_to`.
        # `first_kept`: what is below was removed for its age or number.
        """CREATE TABLE state (
               one INTEGER PRIMARY KEY CHECK (one = 1),
               reserved_to INTEGER NOT NULL,
               clean INTEGER NOT NULL,
               first_kept INTEGER NOT NULL)""",
        "INSERT INTO state VALUES (1, 0, 1, 1)",
    ),
    (
        # Words only: the text itself is in `event`. Filled in the background up to `indexed_to`.
        "CREATE VIRTUAL TABLE search USING fts5(text, content='')",
        "ALTER TABLE state ADD COLUMN indexed_to INTEGER NOT NULL DEFAULT 0",
    ),
    (
        # Words of redacted texts may be left in the index: -1 since a redaction, 1 while it is
        # being merged, 0 not any more.
        "ALTER TABLE state ADD COLUMN words_left INTEGER NOT NULL DEFAULT 0",
    ),
    (
        # Which server was the last one, or is: its mark (mark.py) says up to where numbers were
        # given out. Empty: it has none.
        "ALTER TABLE state ADD COLUMN run TEXT NOT NULL DEFAULT ''",
    ),
)

#: The version that this code reads and writes (`PRAGMA user_version`).
VERSION = len(STEPS)


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Bring the tables from `version` (0: there are none) to VERSION, in one transaction.

    The header is part of it, so that there is no moment at which the file is not marked as ours.
    Blocks; raises `sqlite3.Error`, and then nothing has changed.
    """
    connection.execute("BEGIN EXCLUSIVE")
    try:
        for step in STEPS[version:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
