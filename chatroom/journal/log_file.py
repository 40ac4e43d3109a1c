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

from chatroom.journal.opening import file_id
from chatroom.journal.seal import FileGoneError

#: Its header, with two random numbers; all of it while it has no frame.
#: https://www.sqlite.org/fileformat.html, 4.1 WAL File Format
_HEADER_BYTES = 32


def log_of(file: Path) -> Path:
    """Where SQLite looks for the log of `file`."""
    return file.with_name(file.name + "-wal")


def put_beside(file: Path, log: object) -> None:
    """Copy the log, by its `file_id`, which this process has open, to where it belongs; on return
    it is on the disk. Raises `FileGoneError` if there is another one, or if ours is not open;
    after an `OSError` all is as it was.
    """
    target = log_of(file)
    if file_id(target) == log:
        return
    new = target.with_name(target.name + ".new")
    new.unlink(missing_ok=True)
    try:
        with open(_open_again(log), "rb") as source, open(new, "xb", opener=_for_us_alone) as copy:
            if not _may_become(target, source.read(_HEADER_BYTES)):
                raise FileGoneError(f"{target} is another log")
            source.seek(0)
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _may_become(target: Path, header: bytes) -> bool:
    """Whether there is none, an empty one, or an earlier copy of the one with that header."""
    if not target.exists():
        return True
    with target.open("rb") as there:
        found = there.read(_HEADER_BYTES + 1)
    return len(found) <= _HEADER_BYTES or found[:_HEADER_BYTES] == header


def _for_us_alone(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def put_aside(file: Path) -> Path | None:
    """If there is a log where `file`, which holds nothing, has its own: give it another name, which
    is returned. With its file beside it, whatever the name, it can be read again.
    """
    log = log_of(file)
    if not log.exists() or log.stat().st_size <= _HEADER_BYTES:
        return None
    for number in count(1):
        aside = log.with_name(f"{log.name}.{number}")
        if not aside.exists():
            return log.rename(aside)
    raise AssertionError  # there is always one more number


def _open_again(log: object) -> int:
    """A descriptor of the log more; SQLite's own is not told by it, and it may have no name."""
    directory = Path("/proc/self/fd")
    for entry in os.listdir(directory):
        with suppress(FileNotFoundError):  # of another thread, and closed meanwhile
            if file_id(directory / entry) == log:
                return os.open(directory / entry, os.O_RDONLY | os.O_CLOEXEC)
    raise FileGoneError("the log of the journal is not open any more")
