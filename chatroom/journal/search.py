"""Search in the texts of events: one language, that of SQLite's full-text index, wherever they are.

A search is words, all of which must be in the text; `word*` is the beginning of one. Letters and
digits make words, case and diacritics don't count (FTS5's tokenizer `unicode61`); what has marks
inside, as `don't`, is its parts in a row. Nothing else is an operator.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import msgspec

from chatroom.event import Event
from chatroom.journal import HistoryUnavailableError
from chatroom.journal.limits import SEARCH_SECONDS

_FOUND = """
    SELECT seq FROM (
        SELECT rowid AS seq FROM {index} WHERE {index} MATCH ?1 AND rowid < ?2
        ORDER BY rowid DESC LIMIT ?3)
"""
#: The numbers of the last ?3 events below ?2 in the index of the disk and in that of the rest.
_FOUND_IN_BOTH = f"""
    SELECT json_group_array(seq) FROM (
        {_FOUND.format(index="search")} UNION ALL {_FOUND.format(index="rest")}
        ORDER BY seq DESC LIMIT ?3)
"""
_FOUND_IN_REST = f"SELECT json_group_array(seq) FROM ({_FOUND.format(index='rest')})"

#: How often a search is interrupted that should have ended.
_AGAIN_SECONDS = 0.05

_FROM = "SELECT json_group_array(seq) FROM event WHERE seq >= ?"

_decode_numbers = msgspec.json.Decoder(list[int]).decode
_decode_events = msgspec.json.Decoder(list[Event]).decode


def expression(text: str) -> str:
    """The search as FTS5 wants it; empty if there is no word in it. Never raises."""
    terms = []
    # SQLite takes a NUL for the end of the expression, and no surrogates.
    text = text.replace("\0", " ").encode(errors="replace").decode()
    for word in dict.fromkeys(text.split()):
        stem = word.rstrip("*").replace('"', '""')
        if stem:
            terms.append(f'"{stem}"' + ("*" if word.endswith("*") else ""))
    return " ".join(terms)


def index_the_rest(connection: sqlite3.Connection) -> None:
    """What the server has not put into the search index yet goes into one in memory, `temp.rest`,
    that `connection` alone has. Raises `sqlite3.Error`.
    """
    _make_rest(connection)
    connection.execute(
        """INSERT INTO temp.rest (rowid, text)
           SELECT seq, event ->> 'text' FROM event
           WHERE seq > (SELECT indexed_to FROM state) AND event ->> 'text' IS NOT NULL"""
    )


def search_disk(
    connection: sqlite3.Connection, found: str, before: int, limit: int, memory: Sequence[Event]
) -> Sequence[Event]:
    """The last `limit` events below `before` that `found`, an expression, describes, in order: of
    those in the file and of `memory`, in which some may be that are in the file as well.

    Blocks. Raises `HistoryUnavailableError` after SEARCH_SECONDS, and `sqlite3.Error`.
    """
    with _deadline(connection), _moment(connection):
        index_the_rest(connection)
        if memory:
            written = set(_numbers(connection, _FROM, memory[0].seq))
            memory = [event for event in memory if event.seq not in written]
            _add_to_rest(connection, memory)
        numbers = _numbers(connection, _FOUND_IN_BOTH, found, before, limit)
        (events,) = connection.execute(
            """SELECT group_concat(event) FROM event
               WHERE seq IN (SELECT value FROM json_each(?))""",
            (msgspec.json.encode(numbers).decode(),),
        ).fetchone()
    return _in_order(numbers, [*_decode_events(f"[{events or ''}]"), *memory])


def search_memory(found: str, before: int, limit: int, memory: Sequence[Event]) -> Sequence[Event]:
    """As `search_disk`, in `memory` alone."""
    opened = closing(sqlite3.connect(":memory:", isolation_level=None))
    with opened as connection, _deadline(connection):
        _make_rest(connection)
        _add_to_rest(connection, memory)
        numbers = _numbers(connection, _FOUND_IN_REST, found, before, limit)
    return _in_order(numbers, memory)


def _make_rest(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.rest USING fts5(text, content='')")
    connection.execute("INSERT INTO temp.rest (rest) VALUES ('delete-all')")


def _add_to_rest(connection: sqlite3.Connection, events: Sequence[Event]) -> None:
    # In one statement, which lets go of the interpreter: the room talks on.
    texts = msgspec.json.encode([(event.seq, event.text) for event in events if event.text])
    connection.execute(
        """INSERT INTO temp.rest (rowid, text)
           SELECT value ->> 0, value ->> 1 FROM json_each(CAST(? AS TEXT))""",
        (texts,),
    )


def _numbers(connection: sqlite3.Connection, query: str, *values: object) -> list[int]:
    (numbers,) = connection.execute(query, values).fetchone()
    return _decode_numbers(numbers)


def _in_order(numbers: Sequence[int], events: Sequence[Event]) -> Sequence[Event]:
    wanted = set(numbers)
    return sorted((event for event in events if event.seq in wanted), key=lambda event: event.seq)


@contextmanager
def _moment(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is read inside is of one moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def _deadline(connection: sqlite3.Connection) -> Iterator[None]:
    late, done = threading.Event(), threading.Event()

    def interrupt() -> None:
        seconds = SEARCH_SECONDS
        while not done.wait(seconds):
            # Again and again: between two statements there is nothing to interrupt, and the next
            # one would go on for ever.
            late.set()
            connection.interrupt()
            seconds = _AGAIN_SECONDS

    watch = threading.Thread(target=interrupt, daemon=True)
    watch.start()
    try:
        yield
    except sqlite3.OperationalError as error:
        if not late.is_set():
            raise
        reason = "the search takes too long: give more letters of its words"
        raise HistoryUnavailableError(reason) from error
    finally:
        done.set()
        watch.join()  # it shall not interrupt what comes next
