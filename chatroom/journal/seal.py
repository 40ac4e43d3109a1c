"""Whether the files of a journal are still as we left them: what we write goes into them, and the
next server must find it there.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from chatroom.journal import schema
from chatroom.journal.limits import CHECKPOINT_PAGES
from chatroom.journal.opening import FileId, FileLock, connect, connect_to, file_id
from chatroom.journal.rows import sessions

# https://www.sqlite.org/fileformat.html: 1.3 The Database Header, 4.1 WAL File Format.
_LOG_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
_LOG_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24

#: Between two looks; more than once only where transactions fail.
_MOST_TIMES_ANEW = 100


class FileGoneError(Exception):
    """The file at the path is not as we left it: deleted, replaced, or changed by somebody else."""


class _Log(NamedTuple):
    """The write-ahead log: what is committed is appended to it, or overwrites it from its start
    when all of it has been copied into the database."""

    id: FileId | None
    size: int
    header: bytes
    is_long: bool  # it has CHECKPOINT_PAGES pages, and should be copied
    last_frame: int  # where the last one begins; 0 if there is none
    has_hole: bool  # where the last frame of the look before began, there is none any more

    def can_follow(self, before: _Log) -> bool:
        """Whether a transaction of ours makes this of `before`."""
        if self.id != before.id or self.size < before.size or self.has_hole:
            return False
        if self.header == before.header:
            return True
        if self.header[:4] not in _LOG_MAGIC:
            return False
        # Begun anew: the first of the salts, a random number at first, is one up each time.
        times = (_number(self.header, 16) - _number(before.header, 16)) % 2**32
        return not before.header or 0 < times <= _MOST_TIMES_ANEW


_NO_LOG = _Log(None, 0, b"", is_long=False, last_frame=0, has_hole=False)


class Seal:
    """Knows the files by their identity, size, time and header; looking takes some 10 µs.

    What it does not see: that the log is cut within its last frame between a look and our write, or
    behind what it was at the last look between our write and the next one (both some 0.1 ms).

    Between two calls of `copied` the database itself must not be written, only its log: automatic
    checkpoints are to be off.
    """

    def __init__(self, path: Path, lock: FileLock) -> None:
        self._path = path
        self._log_path = path.with_name(path.name + "-wal")
        self._lock = lock
        self._refused: object = None  # a state of the database that was found to be damaged
        self._changed = False  # by another program, once: the file or its log
        #: As we left it: identity, size, time, header.
        self._file = self._look_at_file()
        self._log = _NO_LOG
        self._log = self._look_at_log()

    def copied(self) -> None:
        """We have copied the log into the database, which is to stay as it is now. Raises
        `FileGoneError` if the log is not as we left it.
        """
        self._take_file()
        log = self._look_at_log()
        self._check_log(log)
        self._log = log

    def emptied(self) -> None:
        """We have copied all of the log into the database, and cut it to nothing."""
        self._take_file()
        log = self._look_at_log()
        if log.id == self._log.id:  # else it is not there, or is another
            self._log = log

    def _take_file(self) -> None:
        file = self._look_at_file()
        # It may have been moved.
        self._file = file if file[0] == self._lock.id else (self._lock.id, *self._lock.look())

    def check(self, session: str) -> None:
        """Raise `FileGoneError` if the files are not what a transaction of ours leaves behind.

        A database that another program has touched is read as the next server would, which takes
        as long as it is large: if it is whole and has `session`, it may stay.
        """
        file, log = self._look_at_file(), self._look_at_log()
        if file[0] != self._lock.id or log.id != self._log.id:
            raise FileGoneError(f"{self._path} was deleted or replaced")
        self._check_log(log)
        if file != self._file:
            if file == self._refused or not self._is_whole(session):
                self._refused = file
                self._changed = True
                raise FileGoneError(f"{self._path} was changed by another program")
            self._file = file
        self._log = log
        self._changed = False

    def _check_log(self, log: _Log) -> None:
        if not log.can_follow(self._log):
            self._changed = self._changed or log.id == self._log.id
            raise FileGoneError(f"{self._log_path} was changed by another program")

    @property
    def log_id(self) -> FileId | None:
        """Which log it is: its `file_id`, wherever it is."""
        return self._log.id

    @property
    def log_is_long(self) -> bool:
        """Whether the log, when it was last looked at, should be copied into the database."""
        return self._log.is_long

    def lacks_log_only(self) -> bool:
        """Whether the log was deleted, and both are as we left them."""
        return (
            not self._changed
            and self._look_at_file() == self._file
            and file_id(self._log_path) != self._log.id
        )

    def is_damaged(self) -> bool:
        """Whether the same files have other contents: ours must not be mixed with them."""
        file, log = self._look_at_file(), self._look_at_log()
        if file[0] != self._lock.id or log.id != self._log.id:
            return False
        return file != self._file or not log.can_follow(self._log)

    def is_intact_elsewhere(self) -> bool:
        """Whether the file, which is not at its path any more, is as we left it, and so was its log
        as long as we have seen it there.
        """
        log = self._look_at_log()
        return (
            not self._changed
            and self._lock.look() == self._file[1:]
            and (log.id != self._log.id or log.can_follow(self._log))
        )

    def empty_log(self) -> None:
        """Have SQLite find nothing in the log that it could copy when it is closed."""
        with suppress(OSError):
            os.truncate(self._log_path, 0)

    def _look_at_file(self) -> tuple[object, int, int, bytes]:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return None, 0, 0, b""
        identity = (status.st_dev, status.st_ino)
        return identity, status.st_size, status.st_mtime_ns, self._lock.header()

    def _look_at_log(self) -> _Log:
        try:
            # Of a pipe that somebody has put there it would wait for its other end.
            how = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            fd = os.open(self._log_path, how)
        except FileNotFoundError:
            return _NO_LOG
        try:
            status = os.fstat(fd)
            header = os.pread(fd, _LOG_HEADER_BYTES, 0)
            page_bytes = _number(header, 8)
            frame_bytes = _FRAME_HEADER_BYTES + page_bytes
            last = _LOG_HEADER_BYTES + (CHECKPOINT_PAGES - 1) * frame_bytes
            # Frames of the present round have the salts of the header.
            salts = os.pread(fd, 8, last + 8)
            frames = (status.st_size - _LOG_HEADER_BYTES) // frame_bytes if page_bytes else 0
            last_frame = _LOG_HEADER_BYTES + (frames - 1) * frame_bytes
            # A frame begins with the number of its page, from 1 on. Who cuts the last one off
            # before we append to the log leaves zeros there; so may a loss of power at its end.
            if frames < 1 or not any(os.pread(fd, 4, last_frame)):
                last_frame = 0
            known = self._log.last_frame
            has_hole = known > 0 and not any(os.pread(fd, 4, known))
        finally:
            os.close(fd)
        is_long = bool(salts) and salts == header[16:24]
        identity = (status.st_dev, status.st_ino)
        return _Log(identity, status.st_size, header, is_long, last_frame, has_hole)

    def _is_whole(self, session: str) -> bool:
        header = self._lock.header()
        if _number(header, 68) != schema.APPLICATION_ID:
            return False
        try:
            connection = connect_to(self._lock.id, self._path)
            if connection is None:
                return False
            with closing(connection):
                known = sessions(connection)
                if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                    return False
            with closing(connect(self._path, "immutable=1")) as connection:
                # Where the log covers all that matters, the file may be another room's still.
                return session in known and known.keys() >= sessions(connection).keys()
        except sqlite3.Error:
            return False


def _number(header: bytes, at: int) -> int:
    return int.from_bytes(header[at : at + 4], "big")
