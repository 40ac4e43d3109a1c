"""How a room is entered, from what the operator of the server has chosen and what is on the disk.

All of this blocks for the disk.
"""

from __future__ import annotations

import msgspec

from chatroom.access.file import AccessFile
from chatroom.access.guard import Guard
from chatroom.access.passwords import require_argon2
from chatroom.access.secret import read_secret
from chatroom.errors import ChatroomError
from chatroom.room.charter import Charter
from chatroom.room.role import Role
from chatroom.settings import Access, AccessSettings


def open_file(settings: AccessSettings) -> AccessFile | None:
    """Where accounts and bans are kept, if anywhere."""
    return None if settings.accounts_file is None else AccessFile(settings.accounts_file)


def open_guard(settings: AccessSettings, file: AccessFile | None) -> Guard:
    """Raises `ChatroomError` for what cannot be used or is missing."""
    access = settings.access
    if access is Access.OPEN:
        return Guard(access)
    secret = ""
    if access is Access.SECRET:
        if settings.secret_file is None:
            raise ChatroomError("--access secret needs --secret-file FILE, with the secret in it")
        secret = read_secret(settings.secret_file)
    elif file is None:
        raise ChatroomError(
            f"--access {access} needs --accounts FILE, because history is kept in memory"
        )
    if file is not None and (access is not Access.SECRET or file.accounts()):
        require_argon2()
        return Guard(access, secret, file)
    return Guard(access, secret)


def open_charter(settings: AccessSettings, file: AccessFile | None, last_seq: int) -> Charter:
    """What holds in the room from its beginning. `last_seq`: of the log that goes on; a topic of
    another one has no number in it.
    """
    kept = Charter() if file is None else file.charter()
    return msgspec.structs.replace(
        kept,
        governed=settings.access is not Access.OPEN,
        owned=tuple(nick for nick, _ in accounts_of(file, settings.access)),
        topic_seq=kept.topic_seq if kept.topic_seq <= last_seq else 0,
    )


def accounts_of(file: AccessFile | None, access: Access) -> tuple[tuple[str, Role], ...]:
    """Nick and role of all accounts; of none, where nobody could log in to one."""
    if file is None or access is Access.OPEN:
        return ()
    return tuple((account.nick, account.role) for account in file.accounts())


def check(settings: AccessSettings) -> None:
    """Raise `ChatroomError` for what a server with these settings would not start with."""
    file = open_file(settings)
    open_guard(settings, file)
    open_charter(settings, file, 0)
