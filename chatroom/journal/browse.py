"""History for people, from the file, whether a server is writing it or not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from chatroom.errors import ChatroomError
from chatroom.event import Event, Gap, decode_event
from chatroom.journal.opening import check_version, connect, version_in
from chatroom.journal.rows import sessions
from chatroom.journal.search import expression, index_the_rest


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which events; every condition that is not None has to hold."""

    last: int | None = None  #: only so many, the newest
    since: str | None = None  #: as events carry the time
    until: str | None = None  #: up to this time, included
    same_nick: Callable[[str], bool] | None = None  #: whose; asked once for each nick
    words: str | None = None  #: all of these are in the text; `word*` is the beginning of one


def browse(path: Path, wanted: Wanted) -> Iterator[Event | Gap]:
    """The events that are wanted, oldest first. The file is only read.

    Gaps are among them unless a nick or words were asked for. Blocks; raises `ChatroomError`, at
    the first step, if there is no journal at `path` or it can't be read.
    """
    try:
        with closing(open_to_read(path)) as connection:
            gaps: Iterator[Gap] = iter(())
            if wanted.same_nick is None and wanted.words is None:
                rows = connection.execute("SELECT * FROM gap ORDER BY first_seq")
                gaps = iter([Gap(first, last) for first, last in rows])
            yield from _with_gaps(
                _events(connection, wanted), gaps, to_the_end=wanted.until is None
            )
    except sqlite3.Error as error:
        raise ChatroomError(f"cannot read the journal {path}: {error}") from error


def open_to_read(path: Path) -> sqlite3.Connection:
    """The journal at `path` as it is at this moment, and stays for this connection. The file is
    only read. Blocks; raises `ChatroomError` or `sqlite3.Error`.
    """
    try:
        with path.open("rb") as file:
            version = version_in(file.read(100), path)
    except OSError as error:
        raise ChatroomError(
            f"cannot read the journal {path}: {error.strerror}; name it with --journal"
        ) from error
    if not version:
        raise ChatroomError(f"{path} is empty: name another journal with --journal")
    connection = _connect(path)
    check_version(connection.execute("PRAGMA user_version").fetchone()[0], path)
    if not _belongs_to_its_log(path, connection):
        connection.close()
        raise ChatroomError(
            f"{path} was put in the place of a journal whose log is beside it still: move it to "
            "another name"
        )
    return connection


def _belongs_to_its_log(path: Path, connection: sqlite3.Connection) -> bool:
    """Whether what `connection` sees is of the file at `path` and not of one that was there before:
    SQLite takes any log with the right name for the file's own.
    """
    try:
        with closing(connect(path, "immutable=1")) as file:
            return sessions(file).keys() <= sessions(connection).keys()
    except sqlite3.DatabaseError:  # the log is being copied into it just now, or never was
        return True


def _connect(path: Path) -> sqlite3.Connection:
    # Reading takes part in the write-ahead log, whose index lies beside the file, so where there is
    # none we open for writing too: only such a connection tidies up after itself. A log that is
    # there is left alone: it may be that of a running server, and not even of this file. In a
    # directory that can't be written, and with no log there, the file alone is all there is.
    log = path.with_name(path.name + "-wal")
    for how in ("mode=rw", "mode=ro", "immutable=1"):
        if how != "mode=ro" and log.exists():
            continue
        connection = connect(path, how)
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")  # everything from here on sees one moment
            connection.execute("SELECT * FROM state").fetchone()
        except sqlite3.OperationalError:
            connection.close()
            if how == "immutable=1" or (how == "mode=ro" and log.exists()):
                raise
        else:
            return connection
    raise sqlite3.OperationalError("the log appears and disappears")


def _events(connection: sqlite3.Connection, wanted: Wanted) -> Iterator[Event]:
    conditions, values = ["TRUE"], []
    for condition, value in (
        ("event ->> 'time' >= ?", wanted.since),
        ("event ->> 'time' <= ?", wanted.until),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if wanted.same_nick is not None:
        connection.create_function("same_nick", 1, lru_cache(None)(wanted.same_nick))
        conditions.append(
            "(same_nick(event ->> 'nick') OR same_nick(coalesce(event ->> 'to', '')))"
        )
    if wanted.words is not None:
        connection.execute("PRAGMA query_only = OFF")
        index_the_rest(connection)
        conditions.append(
            """seq IN (SELECT rowid FROM search WHERE search MATCH ?
                       UNION ALL SELECT rowid FROM rest WHERE rest MATCH ?)"""
        )
        values += [expression(wanted.words)] * 2
    query = f"SELECT seq, event FROM event WHERE {' AND '.join(conditions)}"
    if wanted.last is not None:
        query = f"SELECT * FROM ({query} ORDER BY seq DESC LIMIT {wanted.last})"
    for _, event in connection.execute(f"{query} ORDER BY seq", values):
        yield decode_event(event)


def _with_gaps(
    events: Iterator[Event], gaps: Iterator[Gap], *, to_the_end: bool
) -> Iterator[Event | Gap]:
    """The gaps between the events; `to_the_end`: and behind the last of them."""
    gap = next(gaps, None)
    begun = False
    for event in events:
        while gap is not None and gap.first < event.seq:
            if begun:
                yield gap
            gap = next(gaps, None)
        begun = True
        yield event
    while begun and to_the_end and gap is not None:
        yield gap
        gap = next(gaps, None)
