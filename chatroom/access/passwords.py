"""Hashes of passwords: argon2id (RFC 9106)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from chatroom.access.accounts import MAX_PASSWORD_BYTES
from chatroom.errors import ChatroomError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

#: OWASP's parameters for a server that does other things too: some 20 ms of one core and 19 MiB.
#: RFC 9106's own (64 MiB, four lanes) would take both cores of a small machine from the talk.
TIME_COST = 2
MEMORY_KIB = 19 * 1024
LANES = 1


def hash_password(password: str) -> str:
    """Takes some 20 ms, without the interpreter's lock. Raises `ChatroomError` without argon2."""
    return _hasher().hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether the hash is of this password; None: of an account that does not exist, which takes
    as long. Blocks some 20 ms, without the interpreter's lock. A hash that cannot be read is of no
    password.
    """
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415

    if len(password.encode()) > MAX_PASSWORD_BYTES:
        return False
    # Made by the first who asks, whoever it is: else the first unknown name takes twice as long.
    nobody = _hash_of_nobody()
    try:
        matches = _hasher().verify(password_hash or nobody, password)
    except (VerificationError, InvalidHashError):
        return False
    return matches and password_hash is not None


def require_argon2() -> None:
    """Raise `ChatroomError`, with what to do about it, where argon2 is not installed."""
    _hasher()


@cache
def _hasher() -> PasswordHasher:
    # Imported here: a room without accounts needs none of it.
    try:
        from argon2 import PasswordHasher  # noqa: PLC0415
    except ModuleNotFoundError as error:
        text = "accounts need an extra: pip install 'chatroom[accounts]'"
        raise ChatroomError(text) from error
    return PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=LANES)


@cache
def _hash_of_nobody() -> str:
    return _hasher().hash("")
