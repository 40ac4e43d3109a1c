"""The options of commands that are clients of a server under TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from chatroom.client.transport.tls import Tls


def tls_wanted(*, tls: bool, authority: str | None, fingerprint: str | None) -> Tls | None:
    """Whom to believe, as `chatroom.connect` takes it; None: no TLS is wanted. Raises
    `typer.BadParameter`, or `ChatroomError` for a file that is no certificate.
    """
    if authority is not None and fingerprint is not None:
        raise typer.BadParameter("give one of them.", param_hint="'--tls-ca' '--tls-fingerprint'")
    if fingerprint is not None:
        from chatroom.transport.tls_fingerprint import parse_fingerprint

        try:
            return parse_fingerprint(fingerprint)
        except ValueError as error:
            raise typer.BadParameter(f"{error}.", param_hint="'--tls-fingerprint'") from None
    if authority is not None:
        import ssl

        from chatroom.errors import ChatroomError

        try:
            return ssl.create_default_context(cafile=authority)
        except OSError as error:
            reason = error.strerror or error
            raise ChatroomError(f"{authority} is no certificate: {reason}") from error
    return tls or None
