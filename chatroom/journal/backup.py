"""A copy of a journal, whole and of one moment, while a server writes it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from chatroom.errors import ChatroomError
from chatroom.journal.browse import open_to_read
from chatroom.journal.opening import connect


def back_up(journal: Path, copy: Path) -> int:
    """Copy `journal` to `copy`, a new file that its owner alone may read; its size in bytes.

    The journal is only read, and its server not held up. On return the copy is on the disk; it has
    no log beside it. Whoever serves it begins a new session of the same history. Blocks; raises
    `ChatroomError`, and leaves no file, if there is no journal, or something at `copy` already, or
    if what has been copied is not whole.
    """
    try:
        with closing(open_to_read(journal)) as source:
            _make(copy)
            try:
                with closing(connect(copy, "mode=rw")) as target:
                    source.backup(target)
                    target.execute("PRAGMA journal_mode = DELETE").fetchone()
                    _check(target, journal)
                _sync(copy)
            except BaseException:
                copy.unlink()
                raise
    except sqlite3.Error as error:
        raise ChatroomError(f"cannot copy the journal {journal} to {copy}: {error}") from error
    return copy.stat().st_size


def _make(copy: Path) -> None:
    try:
        os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise ChatroomError(f"cannot make {copy}: {error.strerror}; give another name") from error


def _check(connection: sqlite3.Connection, journal: Path) -> None:
    """A damaged journal is noticed here, and one whose log's index was deleted: while its server
    copies the log into the file, who reads sees half of it.
    """
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise ChatroomError(
            f"cannot copy the journal {journal}: the copy would be damaged: {found}"
        )


def _sync(copy: Path) -> None:
    """The file, and that it is in its directory, are to outlast a power failure."""
    for path in (copy, copy.absolute().parent):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
