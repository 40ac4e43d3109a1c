"""`chatroom account`: accounts, their passwords, certificates and roles."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from chatroom.room.role import Role
from chatroom.settings import DEFAULT_JOURNAL, accounts_beside

if TYPE_CHECKING:
    from chatroom.access.accounts import Account
    from chatroom.access.file import AccessFile

account = typer.Typer(
    name="account",
    help="Accounts of a room. A running server lets new ones in at once; of names that are taken,"
    " of roles, of certificates and of removals it learns by `chatroom admin reload`.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Journal = Annotated[
    str,
    typer.Option(envvar="CHATROOM_JOURNAL", metavar="FILE", help="The room's journal."),
]
_File = Annotated[
    str | None,
    typer.Option(
        "--accounts",
        envvar="CHATROOM_ACCOUNTS",
        metavar="FILE",
        show_default="the journal's, and .access",
        help="Where the accounts are kept.",
    ),
]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="A nick; it belongs to the account.")]
_Role = Annotated[
    Role, typer.Option(help="May talk, may only listen, or may show others out as well.")
]


@account.command()
def add(
    name: _Name,
    role: _Role = Role.MEMBER,
    journal: _Journal = DEFAULT_JOURNAL,
    accounts: _File = None,
) -> None:
    """Make an account. Its password is asked for, or is the first line of standard input."""
    from chatroom.access.accounts import Account
    from chatroom.access.passwords import hash_password
    from chatroom.errors import ChatroomError

    file = _open(accounts, journal)
    nick, key = _name(name)
    if file.account(key) is not None:
        raise ChatroomError(f"there is an account {nick} already: see chatroom account password")
    file.put(Account(key, nick, role, hash_password(_new_password())))
    print(f"{nick} has an account now: {role}")


@account.command()
def remove(name: _Name, journal: _Journal = DEFAULT_JOURNAL, accounts: _File = None) -> None:
    """Remove an account; its nick is free again."""
    file = _open(accounts, journal)
    file.remove(_existing(file, name).key)
    print(f"{name} has no account any more")


@account.command("list")
def list_(journal: _Journal = DEFAULT_JOURNAL, accounts: _File = None) -> None:
    """Show all accounts and their roles."""
    for each in _open(accounts, journal).accounts():
        print(f"{each.nick}\t{each.role}")


@account.command()
def password(name: _Name, journal: _Journal = DEFAULT_JOURNAL, accounts: _File = None) -> None:
    """Change a password: it is asked for, or is the first line of standard input."""
    import msgspec

    from chatroom.access.passwords import hash_password

    file = _open(accounts, journal)
    existing = _existing(file, name)
    hashed = hash_password(_new_password())
    file.put(msgspec.structs.replace(existing, password_hash=hashed))
    print(f"{existing.nick} has another password now")


@account.command()
def certificate(
    name: _Name,
    add: Annotated[
        str | None,
        typer.Option("--add", metavar="FILE", help="Log in with this certificate, too (PEM)."),
    ] = None,
    remove: Annotated[
        str | None,
        typer.Option("--remove", metavar="FINGERPRINT", help="Not with this one any more."),
    ] = None,
    journal: _Journal = DEFAULT_JOURNAL,
    accounts: _File = None,
) -> None:
    """Show the certificates by which IRC clients log in (SASL EXTERNAL), or change which."""
    if add is not None and remove is not None:
        raise typer.BadParameter("give one of them.", param_hint="'--add' '--remove'")
    file = _open(accounts, journal)
    existing = _existing(file, name)
    if add is not None:
        _add_certificate(file, existing, add)
    elif remove is not None:
        _remove_certificate(file, existing, remove)
    else:
        for each in file.certificates():
            if each.key == existing.key:
                print(each.fingerprint)


@account.command("role")
def role_(
    name: _Name,
    role: Annotated[Role, typer.Argument(metavar="member|listener|operator")],
    journal: _Journal = DEFAULT_JOURNAL,
    accounts: _File = None,
) -> None:
    """Change what an account may do."""
    import msgspec

    file = _open(accounts, journal)
    existing = _existing(file, name)
    file.put(msgspec.structs.replace(existing, role=role))
    print(f"{existing.nick} is now: {role}")


def _open(accounts: str | None, journal: str) -> AccessFile:
    from chatroom.access.file import AccessFile

    return AccessFile(accounts or accounts_beside(journal))


def _add_certificate(file: AccessFile, account: Account, path: str) -> None:
    from chatroom.access.accounts import Certificate
    from chatroom.errors import ChatroomError
    from chatroom.transport.tls_clients import read_certificate
    from chatroom.transport.tls_fingerprint import fingerprint_of

    der = read_certificate(path)
    fingerprint = fingerprint_of(der)
    owner = file.account_with(fingerprint)
    if owner is not None and owner.key != account.key:
        raise ChatroomError(f"{owner.nick} has that certificate already")
    file.put_certificate(Certificate(fingerprint, account.key, der))
    print(f"{account.nick} logs in with {fingerprint} after the next reload")


def _remove_certificate(file: AccessFile, account: Account, text: str) -> None:
    from chatroom.errors import ChatroomError
    from chatroom.transport.tls_fingerprint import parse_fingerprint

    try:
        fingerprint = parse_fingerprint(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="'--remove'") from None
    if file.account_with(fingerprint) != account:
        raise ChatroomError(f"{account.nick} has no certificate {fingerprint}")
    file.remove_certificate(fingerprint)
    print(f"{account.nick} does not log in with {fingerprint} any more")


def _existing(file: AccessFile, name: str) -> Account:
    from chatroom.errors import ChatroomError

    _, key = _name(name)
    existing = file.account(key)
    if existing is None:
        raise ChatroomError(f"there is no account {name} in {file.path}")
    return existing


def _name(name: str) -> tuple[str, str]:
    from chatroom.access.accounts import name_of_account
    from chatroom.room.refused import Refused

    try:
        return name_of_account(name)
    except Refused as refused:
        raise typer.BadParameter(f"{refused.text}.", param_hint="'NAME'") from None


def _new_password() -> str:
    """Never from the command line, which every process on the machine can read."""
    from chatroom.access.accounts import check_new_password
    from chatroom.cli.password import first_line_of_input, typed
    from chatroom.errors import ChatroomError
    from chatroom.room.refused import Refused

    chosen = typed("Password", twice=True) if sys.stdin.isatty() else first_line_of_input()
    try:
        check_new_password(chosen)
    except Refused as refused:
        raise ChatroomError(refused.text) from None
    return chosen
