"""How far numbers have been given out, in memory that outlives the process: the mark.

The disk says only how many are reserved. Where the mark is found after a crash, nothing needs to be
left out on suspicion: numbers were given out up to it, and none above.

It is a file of a few bytes in the machine's shared memory, mapped. Beside the journal it would be
as slow as that one's disk: a store into a mapped page waits while a stuck disk has it in writing.
Memory has no disk, so the store never waits and never fails; and that only its owner can cut the
file short, which would end the process (SIGBUS), lets nobody do what he could not do anyway.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import re
import secrets
import struct
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager, suppress
from pathlib import Path

log = logging.getLogger("chatroom.journal")

#: A tmpfs on every Linux (https://www.kernel.org/doc/html/latest/filesystems/tmpfs.html). A service
#: of systemd may have a directory of its own there instead, `$RUNTIME_DIRECTORY` (systemd.exec(5)):
#: with a user of its own it leaves nothing in this one.
DIRECTORY = "/dev/shm"

#: Another one each time the machine starts: what is found was then not kept in memory only, and
#: is not newer than the disk. A service that sees nothing of `/proc` but processes is told it in
#: `$CHATROOM_BOOT_ID`.
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_RUN = re.compile(r"[0-9a-f]{32}")
_NUMBER = struct.Struct("=Q")  # first, so that it is aligned; the label follows
_MOST = 2**53  # numbers go to there


class Mark:
    """The mark of one run of a server. `given_out[0] = number`, in one thread, moves it."""

    def __init__(self, number: int) -> None:
        """Make one that stands at `number`, under a name that nobody can guess.

        Raises `OSError`, and leaves no file, where there is no memory for it.
        """
        self.run = secrets.token_hex(16)  #: which one it is
        label = _label()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(_path(self.run), flags, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Written, it has its page: the mapping needs no more memory later.
            content = _NUMBER.pack(number) + label
            if os.write(self._fd, content) != len(content):
                raise OSError("no room")
            mapping = mmap.mmap(self._fd, len(content))
        except BaseException:
            self.remove()
            raise
        #: An item is stored by a memcpy of 8 aligned bytes, which is one instruction: whenever the
        #: process is killed, it is the old number or the new one. Never unmapped while somebody
        #: has it.
        self.given_out: MutableSequence[int] = memoryview(mapping).cast("Q")  # type: ignore[assignment]

    def release(self) -> None:
        """The run is over, in a crash: the mark is for the next one. Twice does no harm."""
        if self._fd >= 0:
            with suppress(OSError):
                fcntl.flock(self._fd, fcntl.LOCK_UN)  # the mapping holds the file open
            os.close(self._fd)
            self._fd = -1

    def remove(self) -> None:
        """Nobody is to find it: the disk says how far numbers were given out."""
        forget(self.run)
        self.release()


def make_mark(number: int) -> Mark | None:
    """A new mark at `number`; None, which is logged, where there can be none."""
    try:
        return Mark(number)
    except OSError as error:
        log.warning(
            "no memory beside the journal (%s): after a crash a million numbers would be left out",
            error,
        )
        return None


def left_by(run: str, written_to: int) -> int | None:
    """The number up to which that run of a server gave numbers out; None if nobody can say.

    `written_to` is a number that was given out for certain. A mark is not believed that is of
    another start of the machine, of a server that is running still (it has the same file as we, or
    had: a copy), or not what we write. Never raises.
    """
    with suppress(OSError), _opened(run) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        label = _label()
        content = os.read(fd, _NUMBER.size + len(label) + 1)
        if os.fstat(fd).st_uid == os.geteuid() and content[_NUMBER.size :] == label:
            (number,) = _NUMBER.unpack(content[: _NUMBER.size])
            if written_to <= number < _MOST:
                return int(number)
    return None


def forget(run: str) -> None:
    """Remove the mark of that run, if it is there. Never raises."""
    if _RUN.fullmatch(run):
        with suppress(OSError):
            _path(run).unlink()


@contextmanager
def _opened(run: str) -> Iterator[int]:
    if not _RUN.fullmatch(run):  # a journal that somebody made for us could name any file
        raise FileNotFoundError
    fd = os.open(_path(run), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        yield fd
    finally:
        os.close(fd)


def _path(run: str) -> Path:
    directory = os.environ.get("RUNTIME_DIRECTORY") or DIRECTORY
    return Path(directory.partition(":")[0], f"chatroom-{run}")  # a service may have several


def _label() -> bytes:
    """What stands behind the number: 48 bytes. Raises `OSError`."""
    boot_id = os.environb.get(b"CHATROOM_BOOT_ID") or BOOT_ID.read_bytes()
    return b"chatroom 1: " + boot_id[:36].ljust(36)
