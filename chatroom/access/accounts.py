"""Accounts: names that belong to somebody."""

from __future__ import annotations

import msgspec

from chatroom.room.nick import NickInvalid, is_reserved, parse_nick
from chatroom.room.refused import Refused
from chatroom.room.role import Role

#: Longer ones are refused before they are hashed: a request cannot have more anyway.
MAX_PASSWORD_BYTES = 1024

#: NIST SP 800-63B asks for eight characters at least.
MIN_PASSWORD_CHARS = 8


class Account(msgspec.Struct, frozen=True):
    """One account, as it is kept."""

    key: str  #: of its nick: under it nobody else has an account
    nick: str
    role: Role
    password_hash: str

    def __repr__(self) -> str:  # a hash is no secret that a log should have either
        return f"Account({self.nick!r}, {self.role})"


class Certificate(msgspec.Struct, frozen=True):
    """One by which a client logs in to an account, as it is kept: it holds until it is removed."""

    fingerprint: str  #: `sha256:…`; by it nobody else has this one
    key: str  #: of the account
    der: bytes  #: what TLS is to know it by


def name_of_account(name: str) -> tuple[str, str]:
    """The nick and key of an account to be. Raises `Refused` if nobody could have that nick."""
    try:
        nick, key = parse_nick(name)
    except NickInvalid as error:
        raise Refused("nick_invalid", str(error)) from None
    if is_reserved(nick, key):
        raise Refused("nick_invalid", f"the nick {nick} is not to be chosen")
    return nick, key


def check_new_password(password: str) -> None:
    """Raise `Refused` for one that is too short or too long."""
    if len(password) < MIN_PASSWORD_CHARS:
        raise Refused("bad_request", f"a password has at least {MIN_PASSWORD_CHARS} characters")
    if len(password.encode()) > MAX_PASSWORD_BYTES:
        raise Refused("bad_request", f"a password has at most {MAX_PASSWORD_BYTES} bytes")
