"""From options of `chatroom serve` to settings: where files stand, and who is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from chatroom.cli.choices import Tls
from chatroom.settings import (
    IN_MEMORY,
    Access,
    AccessSettings,
    TlsSettings,
    accounts_beside,
    control_beside,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A Unix socket's path has no more (`sun_path` in unix(7)); where the one beside the journal would,
#: there is none unless --control names another.
_UNIX_PATH_BYTES = 107


def access_of(
    access: Access, secret_file: str | None, accounts: str | None, control: str | None, journal: str
) -> AccessSettings:
    """What is kept, and the control socket, stand beside the journal unless they are elsewhere; a
    journal in memory has no place beside it.
    """
    if secret_file is not None and access is not Access.SECRET:
        raise typer.BadParameter("give --access secret too.", param_hint="'--secret-file'")
    on_disk = journal != IN_MEMORY
    if control is None and on_disk and len(control_beside(journal).encode()) <= _UNIX_PATH_BYTES:
        control = control_beside(journal)
    return AccessSettings(
        access=access,
        secret_file=secret_file,
        accounts_file=accounts or (accounts_beside(journal) if on_disk else None),
        control_path=control,
    )


def exempt_of(nicks: Sequence[str]) -> tuple[str, ...]:
    """The nicks, each of which can be one. Raises `typer.BadParameter`."""
    from chatroom.room.nick import NickInvalid, parse_nick

    for nick in nicks:
        try:
            parse_nick(nick)
        except NickInvalid as error:
            raise typer.BadParameter(f"{error}.", param_hint="'--room-rate-exempt'") from None
    return tuple(nicks)


def certificate_of(
    tls: Tls, certificate: str | None, key: str | None, journal: str
) -> TlsSettings | None:
    """The files for TLS, made if need be. Raises `typer.BadParameter`, or `ChatroomError`."""
    if certificate is not None and tls is Tls.auto:
        raise typer.BadParameter("give one of them.", param_hint="'--tls' '--tls-cert'")
    if certificate is not None:
        return TlsSettings(certificate=certificate, key=key or certificate)
    if key is not None:
        raise typer.BadParameter("give --tls-cert too.", param_hint="'--tls-key'")
    if tls is Tls.off:
        return None
    from chatroom.errors import ChatroomError

    try:
        from chatroom.transport.tls_auto import own_certificate
    except ModuleNotFoundError as error:
        text = "--tls auto needs an extra: pip install 'chatroom[tls]'; or give --tls-cert"
        raise ChatroomError(text) from error
    return own_certificate(journal)
