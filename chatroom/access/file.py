"""The file beside the journal: accounts, their certificates, bans and the topic.

It is not in the journal's own database: the journal's writer takes whatever changes its file for
damage, and rightly so; accounts are changed by another process, while the server runs.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from chatroom.access.accounts import Account, Certificate
from chatroom.errors import ChatroomError
from chatroom.room.charter import Charter
from chatroom.room.role import Role

#: Nobody has a file open before who made it has closed it.
_making = threading.Lock()

#: In the file's header (`PRAGMA application_id`): says that it is ours. "ChAc" in ASCII.
_APPLICATION_ID = 0x43684163

#: Step n leads from version n to n + 1; a new file takes them all. Never change one that was
#: released: add another.
_STEPS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE account (
               key TEXT PRIMARY KEY,
               nick TEXT NOT NULL,
               role TEXT NOT NULL,
               password_hash TEXT NOT NULL)""",
        # One row: what the room's operators have decided, as JSON.
        "CREATE TABLE room (one INTEGER PRIMARY KEY CHECK (one = 1), charter TEXT NOT NULL)",
    ),
    (
        """CREATE TABLE certificate (
               fingerprint TEXT PRIMARY KEY,
               key TEXT NOT NULL,
               der BLOB NOT NULL)""",
    ),
)

#: The version that this code reads and writes (`PRAGMA user_version`).
_VERSION = len(_STEPS)

#: Another process may be writing; nobody here takes a tenth of this.
_BUSY_SECONDS = 5.0

_decode_charter = msgspec.json.Decoder(Charter).decode


class AccessFile:
    """Every call opens the file, and blocks as long as the disk takes; any thread may call.

    Nothing is made before there is something to be kept. Raises `ChatroomError` if the file is not
    ours or cannot be used.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def accounts(self) -> Sequence[Account]:
        """All of them, in the order of their keys."""
        query = "SELECT key, nick, role, password_hash FROM account ORDER BY key"
        return [_account(row) for row in self._read(query)]

    def account(self, key: str) -> Account | None:
        """The one of this key."""
        query = "SELECT key, nick, role, password_hash FROM account WHERE key = ?"
        return next(map(_account, self._read(query, key)), None)

    def put(self, account: Account) -> None:
        """Keep it, in the place of another of the same key."""
        row = (account.key, account.nick, account.role, account.password_hash)
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?)", row)

    def remove(self, key: str) -> bool:
        """Remove it, and its certificates. Whether it was there."""
        if not os.path.lexists(self.path):
            return False
        with self._writing() as connection:
            connection.execute("DELETE FROM certificate WHERE key = ?", (key,))
            removed = connection.execute("DELETE FROM account WHERE key = ?", (key,)).rowcount
        return removed > 0

    def certificates(self) -> Sequence[Certificate]:
        """Those of all accounts, in the order of their fingerprints."""
        query = "SELECT fingerprint, key, der FROM certificate ORDER BY fingerprint"
        return [Certificate(*row) for row in self._read(query)]

    def account_with(self, fingerprint: str) -> Account | None:
        """The account that has this certificate."""
        query = """SELECT account.key, nick, role, password_hash FROM account
                   JOIN certificate ON certificate.key = account.key WHERE fingerprint = ?"""
        return next(map(_account, self._read(query, fingerprint)), None)

    def put_certificate(self, certificate: Certificate) -> None:
        """Keep it, in the place of another account's if it was that one's."""
        row = (certificate.fingerprint, certificate.key, certificate.der)
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO certificate VALUES (?, ?, ?)", row)

    def remove_certificate(self, fingerprint: str) -> None:
        """It logs nobody in any more."""
        with self._writing() as connection:
            connection.execute("DELETE FROM certificate WHERE fingerprint = ?", (fingerprint,))

    def charter(self) -> Charter:
        """What was kept last; an empty one if nothing was."""
        for (text,) in self._read("SELECT charter FROM room"):
            try:
                return _decode_charter(text)
            except msgspec.MsgspecError as error:
                raise ChatroomError(f"{self.path} is damaged: {error}") from error
        return Charter()

    def keep(self, charter: Charter) -> None:
        """Keep what outlives the room."""
        text = msgspec.json.encode(charter).decode()
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO room VALUES (1, ?)", (text,))

    def _read(self, query: str, *values: str) -> Sequence[tuple[Any, ...]]:
        if not os.path.lexists(self.path):
            return []
        with self._open() as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")  # else closing it takes everything back

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self._make()
            uri = f"{Path(self.path).absolute().as_uri()}?mode=rw"
            connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
            with closing(connection):
                self._begin(connection)
                yield connection
        except (sqlite3.Error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            text = f"cannot use {self.path}, where accounts and bans are kept: {reason}"
            raise ChatroomError(text) from error

    def _make(self) -> None:
        """For its owner alone, from its first moment on; no symbolic link is followed.

        One that is there is not opened: to close it would drop the locks that SQLite has on it for
        other threads (they are the process's, fcntl(2)), and two could write it at once.
        """
        with _making:
            with suppress(FileExistsError):
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                os.close(os.open(self.path, flags, 0o600))
            mode = os.lstat(self.path).st_mode
        if stat.S_ISLNK(mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ChatroomError(
                f"others may read {self.path}, where accounts are kept: chmod 600 {self.path}"
            )

    def _begin(self, connection: sqlite3.Connection) -> None:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application == _APPLICATION_ID and version == _VERSION:
            return
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        is_ours = application == _APPLICATION_ID and 0 < version < _VERSION
        if not is_ours and (tables or application or version):
            raise ChatroomError(
                f"{self.path} is not a chatroom's file of accounts of version {_VERSION}: "
                "give --accounts another one (it is left as it was)"
            )
        connection.execute("BEGIN EXCLUSIVE")
        # Somebody may have been quicker.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for step in _STEPS[version:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")


def _account(row: tuple[Any, ...]) -> Account:
    key, nick, role, password_hash = row
    return Account(key, nick, Role(role), password_hash)
