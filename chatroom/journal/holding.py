"""Holding a journal's file: opened and locked, let go of where somebody has touched it, and taken
up anew, so that nothing that was stored is lost and nothing of somebody else's is touched.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from pathlib import Path

from chatroom.errors import ChatroomError
from chatroom.journal.log_file import empty, put_aside, put_beside, take_away
from chatroom.journal.opening import FileId, FileLock, file_id, names, open_database
from chatroom.journal.seal import FileGoneError, Seal

log = logging.getLogger("chatroom.journal")

#: A file by its device and inode, and how many were opened before it: inodes are used again.
Opening = tuple[tuple[int, int], int]


class _State(Enum):
    """How we stand with the file."""

    HELD = auto()
    #: Its log was deleted, and is saved; the file is closed. The lock is kept: to close its
    #: descriptor would drop SQLite's own locks on the file, which the connections that read believe
    #: to have.
    RESCUED = auto()
    #: One that was begun here could not be made empty again; its lock is held.
    HALF_BEGUN = auto()
    #: Nothing at the path is ours.
    GONE = auto()


class Holding:
    """The lock and the writing connection of the file at a path. Not for two threads at the same
    time; every method blocks for as long as the disk takes.
    """

    connection: sqlite3.Connection

    def __init__(self, path: Path) -> None:
        """Take the lock; `opened` must follow. Raises as `FileLock` does."""
        self.path = path
        self.opening: Opening = ((0, 0), 0)  #: which file it is
        self._lock = FileLock(path)
        self._state = _State.GONE
        #: The file that a copy of the log was put beside, and the copy.
        self._copy: tuple[Path, FileId] | None = None

    @property
    def mode(self) -> int:
        """The rights of the file when it was opened, such as 0o600."""
        return self._lock.mode

    @contextmanager
    def opened(self) -> Iterator[None]:
        """The file whose lock is held is open inside, and stays so. If that fails, or what is
        inside, the lock is given back (but of a rescued file, which it is needed for), and a file
        that was begun here is empty again. Raises `ChatroomError` where it is none of ours,
        `sqlite3.Error`, `OSError`.
        """
        before, begun_here = self._state, not self._lock.header()
        try:
            if begun_here and self.opening[1] == 0:
                self._put_log_aside()
            elif begun_here:
                # The log's index of the file that was there before may lie there, and be in use:
                # SQLite would take it for this file's, and empty it under who has it in memory,
                # which ends the process (SIGBUS).
                self._lock.empty()
            self.connection = open_database(self.path, self._lock)
            try:
                self._seal = Seal(self.path, self._lock)
                self._state, self._copy = _State.HELD, None
                self.opening = (self._lock.id, self.opening[1] + 1)
                yield
            except BaseException:
                self.connection.close()
                raise
        except BaseException:
            self._state = before
            if before is not _State.RESCUED or begun_here:
                self._give_lock_back(begun_here=begun_here)
            raise

    def _put_log_aside(self) -> None:
        aside = put_aside(self.path)
        if aside is not None:
            log.warning(
                "there was a log without its file, which may have been moved: it is kept as %s. If"
                " nobody has written to that file since, it is whole with this as FILE-wal",
                aside,
            )

    def _give_lock_back(self, *, begun_here: bool) -> None:
        if begun_here:
            before, self._state = self._state, _State.HALF_BEGUN
            self._lock.empty()
            self._state = before
        self._lock.release()

    @contextmanager
    def anew(self) -> Iterator[None]:
        """After `FileGoneError`: as `opened`, with the file that is at the path now, or a new one.
        If only the write-ahead log was deleted, that is the same file, and nothing is gone: our
        descriptor still has the log. What somebody else put there, or made of our file, is not
        touched: `FileGoneError` is raised again.
        """
        with names:
            if self._state is _State.HELD:
                self._let_go()
            elif self._state is _State.HALF_BEGUN:
                self._give_lock_back(begun_here=True)
                self._state = _State.GONE
            if self._state is not _State.RESCUED or self._lock.id != file_id(self.path):
                self._refuse_another()
            try:
                if not self._lock.is_held or self._lock.id != file_id(self.path):
                    self._lock.release()
                    self._lock = FileLock(self.path)
                with self.opened():
                    yield
            except ChatroomError as error:
                raise FileGoneError(str(error)) from error

    def _refuse_another(self) -> None:
        """Raise `FileGoneError` if something was put at the path."""
        if self.path.exists() and self.path.stat().st_size > 0:
            raise replaced(self.path)

    def check(self, session: str) -> None:
        """Raise `FileGoneError` if what we write is not what the next server would read, which
        knows the room by `session`.
        """
        if self._state is not _State.HELD:
            raise FileGoneError(f"{self.path} could not be begun anew")
        self._seal.check(session)
        if self._copy is not None:
            self._take_copy_away()  # the file is back: what is written now is not in the copy

    def checkpoint(self, session: str) -> None:
        """Copy the write-ahead log into the file when it is long; some 10 ms. Raises as `check`.

        Apart from every commit, so that none of those writes the file: whoever else does is found
        out.
        """
        if self._seal.log_is_long:
            self.copy_log(session)

    def copy_log(self, session: str) -> bool:
        """Copy what is in the write-ahead log into the file, unless somebody reads what is older;
        where the file was moved, or the log deleted, save it. Returns whether the next server would
        find all of it, by the file's name. Raises as `check`.
        """
        if self._state is _State.HELD and (self._seal.lacks_log_only() or self._is_moved()):
            if self._copy is None or self._copy[0] != self._place:
                log.warning("%s was moved, or its log deleted: saving what is in it", self.path)
                self._save_log()
            return True
        self.check(session)
        row = self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._seal.copied()
        is_held_up, in_log, copied = row
        return not is_held_up and bool(in_log == copied)

    def close(self) -> None:
        """Let go of the file and its lock; twice does no harm."""
        if self._state is _State.HELD:
            if self._seal.lacks_log_only() or self._is_moved():
                try:
                    self._save_log()
                    self._leave_log()
                except (FileGoneError, OSError, sqlite3.Error) as error:
                    log.error("what was stored last in %s is lost: %s", self.path, error)  # noqa: TRY400 - no fault of ours
                    self._give_log_up()
            elif self._seal.is_damaged():
                self._seal.empty_log()
        self._close()

    def _close(self) -> None:
        self._state = _State.GONE
        self.connection.close()  # SQLite leaves alone what is not at its place
        self._lock.release()

    def _let_go(self) -> None:
        """Save what there is to be saved, and close the file."""
        if self._seal.lacks_log_only():
            self._save_log()
            self._state = _State.RESCUED
            self.connection.close()
            return
        if file_id(self.path) != self._lock.id:
            self._refuse_another()
            if self._is_moved():
                self._save_log()
                self._leave_log()
            elif self._lock.is_linked:
                self._put_log_aside()  # its file is somewhere, and not as we left it
        elif self._lock.header():
            raise FileGoneError(
                f"{self.path} was changed by another program: move it away, and a new one is begun"
            )
        else:
            self._lock.empty()
            self.path.unlink()  # whoever reads this file shall not take the next one for it
        self._close()

    @property
    def _place(self) -> Path | None:
        """Where the file is now; None if that can't be told."""
        return self.path if file_id(self.path) == self._lock.id else self._lock.place()

    def _is_moved(self) -> bool:
        """Whether the file is as we left it, under another name."""
        return (
            self._lock.is_linked
            and file_id(self.path) != self._lock.id
            and self._seal.is_intact_elsewhere()
        )

    def _save_log(self) -> None:
        """Have all that is in the log where the next server finds it, though the log has lost its
        name, or the file. It gets one beside the file, wherever that is, and is copied into it,
        unless somebody reads what is older. In this order: a copy that is cut short, by a full disk
        or the end of the process, needs the log beside it. Raises `FileGoneError` where there is
        another log, or the file has no name.
        """
        with names:
            place = self._place
            if place is None:
                raise FileGoneError(f"{self.path} was deleted")
            if self._copy is not None and self._copy[0] != place:
                self._take_copy_away()  # it was moved on
            before = None if self._copy is None else self._copy[1]
            copy = put_beside(place, self._seal.log_id, before)
            if copy is not None:
                self._copy = place, copy
            if self._copy_all():
                self._take_copy_away()

    def _take_copy_away(self) -> None:
        """All that the copy has is in the file, or in the log."""
        if self._copy is not None:
            with suppress(OSError):
                take_away(*self._copy)
            self._copy = None

    def _leave_log(self) -> None:
        """The file is another's from here on, with all that was in our log: nobody is to find that
        at our path.
        """
        self._copy = None
        if self._place != self.path:
            with suppress(OSError):
                take_away(self.path, self._seal.log_id)

    def _give_log_up(self) -> None:
        """It could not be saved. Of a file that is at its path SQLite would copy it when it closes,
        and whatever stopped us would stop that half-way: rather a file without it. Of one that was
        moved it stays, for whoever puts the two together.
        """
        if self._place == self.path:
            with suppress(FileGoneError, OSError):
                empty(self._seal.log_id)

    def _copy_all(self) -> bool:
        """Copy all of the log into the file, unless somebody reads what is older."""
        is_read = True
        try:
            (is_read, *_) = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            with suppress(FileGoneError, OSError):
                # Whatever has been copied is ours.
                if is_read:
                    self._seal.copied()
                else:
                    self._seal.emptied()
        return not is_read


def replaced(path: Path) -> FileGoneError:
    """Another room's file is at our path."""
    return FileGoneError(f"{path} was replaced: restart the server to use the new one")
