"""How a room is entered, from what the operator of the server has chosen and what is on the disk.

All of this blocks for the disk.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chatroom.access.file import AccessFile
from chatroom.access.guard import Guard
from chatroom.access.passwords import require_argon2
from chatroom.access.secret import read_secret
from chatroom.errors import ChatroomError
from chatroom.room.charter import Charter
from chatroom.room.role import Role
from chatroom.settings import Access, AccessSettings


class Entrance:
    """Reads the secret and the accounts, as often as it is asked. Every method blocks, and raises
    `ChatroomError` for what cannot be used or is missing.
    """

    def __init__(self, settings: AccessSettings) -> None:
        self._settings = settings
        path = settings.accounts_file
        self.file = None if path is None else AccessFile(path)  #: None: nothing is kept

    def guard(self) -> Guard:
        """Who judges credentials, by what is true now."""
        access, file = self._settings.access, self.file
        secret = self._secret() if access is Access.SECRET else ""
        if file is None and access in (Access.ACCOUNTS, Access.MIXED):
            raise ChatroomError(
                f"--access {access} needs --accounts FILE, because history is kept in memory"
            )
        if file is None or access is Access.OPEN:
            return Guard(access, secret)
        try:
            require_argon2()
        except ChatroomError:
            if access is not Access.SECRET or file.accounts():
                raise
            return Guard(access, secret)  # nobody needs it there
        return Guard(access, secret, file)

    def charter(self, last_seq: int) -> Charter:
        """What holds in the room from its beginning. `last_seq`: of the log that goes on; a topic
        of another one has no number in it.
        """
        kept = Charter() if self.file is None else self.file.charter()
        return msgspec.structs.replace(
            kept,
            governed=self._settings.access is not Access.OPEN,
            owned=tuple(nick for nick, _ in self.accounts()),
            topic_seq=kept.topic_seq if kept.topic_seq <= last_seq else 0,
        )

    def accounts(self) -> tuple[tuple[str, Role], ...]:
        """Nick and role of all accounts; of none, where nobody could log in to one."""
        if self.file is None or self._settings.access is Access.OPEN:
            return ()
        return tuple((account.nick, account.role) for account in self.file.accounts())

    def certificates(self) -> Sequence[bytes]:
        """The certificates by which one logs in to an account (DER); none, where nobody could."""
        if self.file is None or self._settings.access is Access.OPEN:
            return ()
        return [certificate.der for certificate in self.file.certificates()]

    def check(self) -> None:
        """Whether a server would start with this."""
        self.guard()
        self.charter(0)

    def _secret(self) -> str:
        if self._settings.secret_file is None:
            raise ChatroomError("--access secret needs --secret-file FILE, with the secret in it")
        return read_secret(self._settings.secret_file)
