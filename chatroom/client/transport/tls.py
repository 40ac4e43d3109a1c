"""TLS as a client: whose certificate is believed."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from chatroom.client.errors import KeyChanged, Unreachable
from chatroom.client.transport.known_rooms import AUTHORITY, KnownRooms
from chatroom.transport.tls_fingerprint import fingerprint_of, parse_fingerprint

log = logging.getLogger("chatroom.client")

#: By these rules; or by a fingerprint; or True: as SSH does, by what was shown the first time.
Tls = ssl.SSLContext | str | bool

#: OpenSSL's reasons (X509_V_ERR_…) for not knowing who has signed: itself, or somebody unknown.
#: Those for a wrong name or a wrong date are none of them: there somebody vouches for another.
_NOBODY_KNOWN_HAS_SIGNED = frozenset({18, 19, 20, 21})


@dataclass(frozen=True, slots=True)
class Server:
    """Whom to connect to, and how."""

    host: str  #: for the certificate's names
    name: str  #: for `known_rooms`: `host:port`
    dial: Callable[[], Awaitable[trio.SocketStream]]
    introduced_by: str = ""  #: the server that has told of this one, by its name there


async def open_tls(server: Server, tls: Tls) -> trio.abc.Stream:
    """Connect, and shake hands with whom `tls` believes. Raises `Unreachable`, or `KeyChanged` for
    another certificate than the one that is wanted or known. Cancelled or failed, nothing is left
    open.
    """
    if isinstance(tls, ssl.SSLContext):
        return await _open(server, tls)
    if isinstance(tls, str):
        return await _open_pinned(server, parse_fingerprint(tls), "asked for")
    return await _open_known(server, KnownRooms())


async def _open_known(server: Server, known: KnownRooms) -> trio.abc.Stream:
    """Trust on first use, unless an authority vouches."""
    shown = _look_up(known, server.name)
    if shown is not None and shown != AUTHORITY:
        hint = f"known; if it really has a new one, remove its line from {known.path}"
        return await _open_pinned(server, shown, hint)
    try:
        stream = await _open(server, ssl.create_default_context())
    except _Unknown as error:
        if shown == AUTHORITY:
            raise KeyChanged(
                f"THE KEY OF {server.name} HAS CHANGED: an authority vouched for it before, and"
                f" none does now ({error}). Somebody may be listening in. If all is well, remove"
                f" its line from {known.path}"
            ) from error
        if server.introduced_by:
            return await _open_introduced(server, known)
        return await _open_the_first_time(server, known)
    if shown is None:
        _remember(known, server, AUTHORITY)
    return stream


async def _open_the_first_time(server: Server, known: KnownRooms) -> trio.abc.Stream:
    stream = await _open(server, _believing_anybody())
    shown = _fingerprint(stream)
    log.warning("%s is new: its certificate %s is trusted from now on", server.name, shown)
    _remember(known, server, shown)
    return stream


async def _open_introduced(server: Server, known: KnownRooms) -> trio.abc.Stream:
    """For a server that another one has named nobody is there to compare a fingerprint, and who can
    cut the connection to that one could show any: it has to show the same.
    """
    shown = _look_up(known, server.introduced_by)
    if shown is None or shown == AUTHORITY:
        raise KeyChanged(
            f"{server.name}, of which {server.introduced_by} has told, is not known, and no"
            " authority vouches for it: connect to it by itself once, to have it known"
        )
    return await _open_pinned(server, shown, f"{server.introduced_by}'s")


async def _open_pinned(server: Server, wanted: str, which: str) -> trio.abc.Stream:
    stream = await _open(server, _believing_anybody())
    shown = _fingerprint(stream)
    if shown != wanted:
        await trio.aclose_forcefully(stream)
        raise KeyChanged(
            f"THE KEY OF {server.name} IS ANOTHER: it shows {shown}. Somebody may be listening in,"
            f" or it has a new certificate: {wanted} is what is {which}"
        )
    return stream


class _Unknown(Unreachable):
    """Nobody whom this machine trusts has signed the certificate."""


async def _open(server: Server, context: ssl.SSLContext) -> trio.SSLStream[trio.SocketStream]:
    stream = await server.dial()
    encrypted = trio.SSLStream(stream, context, server_hostname=server.host, https_compatible=True)
    try:
        await encrypted.do_handshake()
    except (trio.BrokenResourceError, OSError) as error:
        await trio.aclose_forcefully(stream)
        cause = error.__cause__ or error
        text = f"no TLS with {server.name}: {cause}"
        if getattr(cause, "verify_code", 0) in _NOBODY_KNOWN_HAS_SIGNED:
            raise _Unknown(text) from error
        raise Unreachable(text) from error
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return encrypted


def _believing_anybody() -> ssl.SSLContext:
    """For a certificate that is looked at afterwards."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _fingerprint(stream: trio.SSLStream[trio.SocketStream]) -> str:
    return fingerprint_of(stream.getpeercert(binary_form=True) or b"")


def _look_up(known: KnownRooms, name: str) -> str | None:
    try:
        return known.look_up(name)
    except OSError as error:
        raise Unreachable(f"cannot read {known.path}: {error.strerror}") from error


def _remember(known: KnownRooms, server: Server, shown: str) -> None:
    try:
        known.remember(server.name, shown)
    except OSError as error:
        log.warning("%s cannot be remembered in %s: %s", server.name, known.path, error.strerror)
