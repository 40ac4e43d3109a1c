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
        owned=owned_nicks(settings, file),
        topic_seq=kept.topic_seq if kept.topic_seq <= last_seq else 0,
    )


def owned_nicks(settings: AccessSettings, file: AccessFile | None) -> tuple[str, ...]:
    """The nicks of all accounts; of none, where nobody could log in to one."""
    if file is None or settings.access is Access.OPEN:
        return ()
    return tuple(account.nick for account in file.accounts())
