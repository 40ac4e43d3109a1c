"""How a conversation begins: under TLS, if the client's first byte says so."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

import msgspec

from chatroom.event import CloseReason
from chatroom.protocol.opening import Opening
from chatroom.protocol.requests import Ending
from chatroom.protocol.session import Wait
from chatroom.protocol.ways import WAYS
from chatroom.server.serving.conversation import Line, converse
from chatroom.settings import ENTER_SECONDS, HANDSHAKE_SECONDS, TLS_HELLO_SECONDS
from chatroom.transport.tls_handshake import HandshakeError

if TYPE_CHECKING:
    from chatroom.protocol.session import Session, Visit

#: A TLS connection begins with a record of this type, a handshake's; no line of text does.
TLS_HANDSHAKE = b"\x16"

log = logging.getLogger("chatroom.server")


class Door(Line, Protocol):
    """A line to somebody who has not been heard yet."""

    @property
    def offers_tls(self) -> bool:
        """Whether this server has a certificate."""

    async def peek_within(self, wait: Wait) -> bytes | None:
        """The first byte, which stays where it is; empty at the end of the stream, None when `wait`
        has passed. Raises OSError.
        """

    async def secure(self) -> str:
        """Shake hands: from here on the line is under TLS. Returns the fingerprint of the
        certificate by which the client may log in; empty: it has shown none. Raises
        `HandshakeError`, or another OSError where the connection is lost.
        """


def begun(visit: Visit) -> Session:
    """The session of somebody who has said nothing so far."""
    return Opening(visit, WAYS)


async def attend(visit: Visit, door: Door) -> Ending | None:
    """Talk with a client from its first byte on; see `converse`."""
    try:
        door.session = await _open(visit, door)
    except HandshakeError as error:
        log.info("from %s: %s", visit.peer, error)
        return Ending(CloseReason.PROTOCOL_ERROR, str(error))
    except OSError as error:
        return Ending(CloseReason.LOST, str(error))
    return await converse(door)


async def _open(visit: Visit, door: Door) -> Session:
    if not door.offers_tls:
        return begun(visit)
    # A transport is no wire format: it is told apart before a byte is read, so that all formats
    # begin anew under it, and OpenSSL reads its own bytes from the kernel.
    first = await door.peek_within(_patience(visit))
    if first == TLS_HANDSHAKE:
        certificate = await door.secure()
        visit = msgspec.structs.replace(
            visit, encrypted=True, certificate=certificate, needs_tls=False
        )
        return begun(visit)
    session = begun(visit)
    if first is None:
        session.expire()  # it has been waited for already
    return session


def _patience(visit: Visit) -> Wait:
    """How long the first byte is waited for."""
    if visit.needs_tls:
        return Wait(HANDSHAKE_SECONDS)
    return Wait(ENTER_SECONDS if visit.local else TLS_HELLO_SECONDS)
