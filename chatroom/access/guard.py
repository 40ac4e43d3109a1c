"""Who may come in, and as whom."""

from __future__ import annotations

from dataclasses import dataclass
from hmac import compare_digest
from typing import TYPE_CHECKING, Protocol

from chatroom.access.passwords import is_password
from chatroom.room.nick import NickInvalid, parse_nick
from chatroom.room.refused import Refused
from chatroom.room.role import Role
from chatroom.settings import Access

if TYPE_CHECKING:
    from chatroom.access.accounts import Account
    from chatroom.protocol.requests import Credentials


class Accounts(Protocol):
    """Where they are kept."""

    def account(self, key: str, /) -> Account | None:
        """The one of this key; may block."""

    def account_with(self, fingerprint: str, /) -> Account | None:
        """The one that has this certificate; may block."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody has proven to be."""

    account: str = ""  #: the nick of an account; empty: a guest
    role: Role = Role.MEMBER


GUEST = Identity()

_FAILED = "the log-in failed"


class Guard:
    """Judges credentials by how the room is entered. Keeps nothing that it is shown."""

    def __init__(self, access: Access, secret: str = "", accounts: Accounts | None = None) -> None:
        self.access = access
        self._secret = secret.encode()
        self._accounts = accounts

    @property
    def needs_login(self) -> bool:
        """Whether nobody comes in who has proven nothing."""
        return self.access in (Access.SECRET, Access.ACCOUNTS)

    def means_something(self, credentials: Credentials) -> bool:
        """Whether there is anything to be proven by them here: in an open room there is not."""
        return self.access is not Access.OPEN

    def prove(self, credentials: Credentials) -> Identity:
        """Who it is. Blocks for some 20 ms where a password is to be verified, and for the disk.

        Raises `Refused`, login_failed: in the same words and after the same time whether there is
        no such account or the password is another; and `ChatroomError` if the disk fails. Whoever
        brings a certificate has proven to have its key: TLS has seen to that.
        """
        if self.access is Access.SECRET and compare_digest(
            credentials.secret.encode(), self._secret
        ):
            return GUEST
        account = None if self._accounts is None else _proven(credentials, self._accounts)
        if account is None:
            raise Refused("login_failed", _FAILED)
        return Identity(account.nick, account.role)


def _proven(credentials: Credentials, accounts: Accounts) -> Account | None:
    """The account that is proven to be one's own."""
    if credentials.certificate:
        account = accounts.account_with(credentials.certificate)
        wanted = _key(credentials.account) if credentials.account else None
        return account if account is not None and wanted in (None, account.key) else None
    if not credentials.account:
        return None
    account = accounts.account(_key(credentials.account))
    known_hash = None if account is None else account.password_hash
    return account if is_password(credentials.password, known_hash) else None


def _key(name: str) -> str:
    try:
        return parse_nick(name)[1]
    except NickInvalid:
        return ""  # which no account has
