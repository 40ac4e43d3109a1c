"""A room whose members have certificates."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chatroom.access.accounts import Certificate
from chatroom.transport.tls_fingerprint import fingerprint_of
from tests.certificates import Signed, showing, trusting_anybody
from tests.irc.speaking import IrcVisitor
from tests.server.tls_visiting import knock_with_tls

if TYPE_CHECKING:
    from chatroom.access.file import AccessFile
    from tests.visiting import House


def register_certificate(accounts: AccessFile, key: str, signed: Signed) -> None:
    der = ssl.PEM_cert_to_DER_cert(signed.pem.decode())
    accounts.put_certificate(Certificate(fingerprint_of(der), key, der))


@dataclass
class Club:
    """A room where Olga has a certificate."""

    house: House
    accounts: AccessFile
    directory: Path
    olga: Signed

    def showing(self, signed: Signed, *offered: str) -> ssl.SSLContext:
        context = showing(self.directory, signed)
        if offered:
            context.set_alpn_protocols(list(offered))
        return context

    async def come(self, signed: Signed | None = None, *offered: str) -> IrcVisitor:
        """Under TLS, with a certificate."""
        context = trusting_anybody() if signed is None else self.showing(signed, *offered)
        return IrcVisitor(await knock_with_tls(self.house, context))
