"""A write-ahead log that has lost its place beside its file, or its file: it is kept.

SQLite finds a log by its name. One that has another name, or none, is lost with the process that
has it open; one that lies beside a new file is deleted.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from itertools import count
from pathlib import Path

from chatroom.journal.opening import FileId, file_id
from chatroom.journal.seal import FileGoneError

#: Its header, with two random numbers; all of it while it has no frame.
#: https://www.sqlite.org/fileformat.html, 4.1 WAL File Format
_HEADER_BYTES = 32


def log_of(file: Path) -> Path:
    """Where SQLite looks for the log of `file`."""
    return file.with_name(file.name + "-wal")


def put_beside(file: Path, log: FileId | None, before: FileId | None) -> FileId | None:
    """Copy the log, which this process has open, to where it belongs: then it is on the disk. The
    copy may take the place of the one that was made `before`. Returns which one it is; None: the
    log is there itself.

    Raises `FileGoneError` if there is another one, or if ours is not open; after an `OSError` all
    is as it was.
    """
    target = log_of(file)
    found = file_id(target)
    if found is not None and found == log:
        return None
    new = target.with_name(target.name + ".new")
    new.unlink(missing_ok=True)
    try:
        with open(_open_again(log), "rb") as source, open(new, "xb", opener=_for_us_alone) as copy:
            if found is not None and found != before:
                _check_may_become(target, source.read(_HEADER_BYTES))
                source.seek(0)
            shutil.copyfileobj(source, copy)
            copy.flush()
            _give_rights(copy.fileno(), file)
            os.fsync(copy.fileno())
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return file_id(target)


def empty(log: FileId | None) -> None:
    """Take all out of the log, which this process has open. Raises `FileGoneError`, `OSError`."""
    fd = _open_again(log, os.O_WRONLY)
    try:
        os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def take_away(file: Path, log: FileId | None) -> None:
    """Remove that log from where the one of `file` is, if it is there."""
    target = log_of(file)
    if log is not None and file_id(target) == log:
        target.unlink(missing_ok=True)


def _check_may_become(target: Path, header: bytes) -> None:
    """Raise `FileGoneError` unless it is an empty one, or an earlier copy of the one with that
    header.
    """
    with target.open("rb") as there:
        found = there.read(_HEADER_BYTES + 1)
    if len(found) > _HEADER_BYTES and found[:_HEADER_BYTES] != header:
        raise FileGoneError(f"{target} is another log")


def _give_rights(log: int, file: Path) -> None:
    """As SQLite does: a log is for whom its file is."""
    status = file.stat()
    os.fchmod(log, status.st_mode & 0o777)
    with suppress(PermissionError):  # only root can give it to somebody else
        os.fchown(log, status.st_uid, status.st_gid)


def _for_us_alone(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def put_aside(file: Path) -> Path | None:
    """If there is a log where `file`, which holds nothing, has its own: give it another name, which
    is returned. It can be read beside its file, if nobody has written to that since.
    """
    log = log_of(file)
    if not log.exists() or log.stat().st_size <= _HEADER_BYTES:
        return None
    for number in count(1):
        aside = log.with_name(f"{log.name}.{number}")
        if not aside.exists():
            return log.rename(aside)
    raise AssertionError  # there is always one more number


def _open_again(log: FileId | None, how: int = os.O_RDONLY) -> int:
    """A descriptor of the log more; SQLite's own is not told by it, and it may have no name."""
    directory = Path("/proc/self/fd")
    for entry in os.listdir(directory):
        with suppress(FileNotFoundError):  # of another thread, and closed meanwhile
            if file_id(directory / entry) == log:
                return os.open(directory / entry, how | os.O_CLOEXEC)
    raise FileGoneError("the log of the journal is not open any more")
