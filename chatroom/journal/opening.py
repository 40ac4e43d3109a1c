"""Opening a journal's file: is it ours, does nobody else have it, is its format one we know."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from chatroom.errors import ChatroomError
from chatroom.journal import schema
from chatroom.journal.limits import BUSY_SECONDS

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100  # https://www.sqlite.org/fileformat.html, 1.3 The Database Header

#: Journals that this process has open, by device and inode. Opening such a file once more and
#: closing it would drop SQLite's own locks on it (POSIX locks belong to the process), so the
#: question must be answered before.
_open_here: set[tuple[int, int]] = set()


#: Held while files are opened by the names that SQLite gives them, or others get these names: a
#: connection has the file, the log and the index of one journal. Others who do that, `mv` say, do
#: not know of it: it is enough that we put nothing there meanwhile. Blocks for seconds at the most.
names = threading.RLock()


#: A file, whatever its name: device and inode.
FileId = tuple[int, int]


class FileLock:
    """The right to write a journal: an exclusive flock, which the kernel drops with the process.

    It is on the database itself, not on a file beside it, which could be deleted or left behind.
    It must outlive every SQLite connection of this process to the file (see `_open_here`).
    """

    def __init__(self, path: Path) -> None:
        """Take the lock; the file is made if there is none, for its owner alone. SQLite gives its
        log and that one's index the same rights.

        Raises `ChatroomError` when another server has it, `OSError` when it can't be opened or is a
        symbolic link: who can make one could have us write any file of ours.
        """
        in_use = ChatroomError(
            f"{path} is used by another chatroom server: stop that one, "
            "or give --journal another file"
        )
        if path.exists() and file_id(path) in _open_here:
            raise in_use
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            if isinstance(error, BlockingIOError):
                raise in_use from None
            raise
        status = os.fstat(self._fd)
        self.id = (status.st_dev, status.st_ino)
        self.mode = status.st_mode & 0o777  #: the file's rights
        _open_here.add(self.id)

    @property
    def is_held(self) -> bool:
        """Whether it has not been given back."""
        return self._fd >= 0

    @property
    def is_linked(self) -> bool:
        """Whether the file has a name still, here or elsewhere."""
        return os.fstat(self._fd).st_nlink > 0

    def place(self) -> Path | None:
        """Where the file is now; None if that can't be told."""
        with suppress(OSError):
            found = Path(os.readlink(f"/proc/self/fd/{self._fd}"))
            if file_id(found) == self.id:
                return found
        return None

    def header(self) -> bytes:
        """The first 100 bytes of the file; less if it is shorter."""
        return os.pread(self._fd, _HEADER_BYTES, 0)

    def look(self) -> tuple[int, int, bytes]:
        """The size, the time and the header of the file, wherever it is."""
        status = os.fstat(self._fd)
        return status.st_size, status.st_mtime_ns, self.header()

    def empty(self) -> None:
        """Undo what was begun in an empty file: half a journal would not be taken for one. What is
        beside another one that was put in its place is not touched.
        """
        os.ftruncate(self._fd, 0)
        if file_id(self._path) != self.id:
            return
        for suffix in ("-journal", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def release(self) -> None:
        """Give the right back; twice does no harm."""
        if self._fd >= 0:
            os.close(self._fd)
            _open_here.discard(self.id)
            self._fd = -1


def file_id(path: Path | str) -> FileId | None:
    """Device and inode of what is at `path`, which tell whether it is still the same file."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return (status.st_dev, status.st_ino)


def version_in(header: bytes, path: Path) -> int:
    """The schema version that a file's first bytes name; 0 for an empty file.

    Raises `ChatroomError` for a file that is not a journal or that a newer chatroom wrote.
    """
    if not header:
        return 0
    application = int.from_bytes(header[68:72], "big")
    if not header.startswith(_MAGIC) or application != schema.APPLICATION_ID:
        raise ChatroomError(
            f"{path} is not a chatroom journal: give --journal another file (it is left as it was)"
        )
    version = int.from_bytes(header[60:64], "big")
    check_version(version, path)
    return version


def check_version(version: int, path: Path) -> None:
    """Raise `ChatroomError` for a format that this code does not know."""
    if version > schema.VERSION:
        raise ChatroomError(
            f"{path} was written by a newer chatroom (format {version}, this one knows "
            f"{schema.VERSION}): upgrade chatroom, or give --journal another file"
        )


def connect(path: Path, how: str) -> sqlite3.Connection:
    """A connection to an existing file, without implicit transactions, usable from any one thread
    at a time. `how`: `mode=rw` or `mode=ro`; `immutable=1` reads the file as if it had no log,
    without a lock. Raises `sqlite3.Error`.
    """
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{how}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_SECONDS,
    )


def connect_to(file: tuple[int, int], path: Path) -> sqlite3.Connection | None:
    """A connection that reads `file`, a `file_id`, which should be at `path`; None if it is not.
    Raises `sqlite3.Error`.

    Where this process has `file` open, no other one may be read by that name: SQLite would take the
    log's index beside it for that one's, and empty it under the writer, whose next look at it would
    end the process (SIGBUS).
    """
    with names:
        connection = connect(path, "mode=ro")
        if file_id(path) == file:
            try:
                connection.execute("PRAGMA schema_version")  # opens the log and its index
            except BaseException:
                connection.close()
                raise
            return connection
    connection.close()
    return None


def open_database(path: Path, lock: FileLock) -> sqlite3.Connection:
    """The journal at `path`, whose lock is held, ready for writing: created or upgraded if needed.

    Until the file is known to be ours nothing is written. Every commit is synced until
    `PRAGMA synchronous` is set otherwise. Blocks; raises `ChatroomError` or `sqlite3.Error`.
    """
    version = version_in(lock.header(), path)
    connection = connect(path, "mode=rw")
    try:
        if version:
            # An upgrade by a newer version may still be in the write-ahead log alone.
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            check_version(version, path)
        _configure(connection)
        if version < schema.VERSION:
            schema.upgrade(connection, version)
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise ChatroomError(
                f"{path} is on a file system without shared memory, which SQLite's write-ahead "
                "log needs: give --journal a file on a local disk"
            )
        # What another program reads of the file itself, our own check of its header above for
        # one, is then what is true.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    # The log is copied by `Store.checkpoint` instead, apart from any commit.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    # Deleted text is overwritten where that costs no extra write.
    connection.execute("PRAGMA secure_delete = FAST")
