"""Clients with certificates: who is asked for one, and which are taken."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic

import pytest

from chatroom.settings import TlsSettings
from chatroom.transport import tls_handshake
from chatroom.transport.tls_fingerprint import fingerprint_of
from chatroom.transport.tls_server import ServerTls
from chatroom.transport.tls_threads import wait_for
from tests.certificates import Signed, make_certificate, showing, trusting_anybody, write_pair

_VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> TlsSettings:
    return write_pair(tmp_path_factory.mktemp("tls"), make_certificate("localhost"))


def _der(signed: Signed) -> bytes:
    return ssl.PEM_cert_to_DER_cert(signed.pem.decode())


def _named(signed: Signed) -> str:
    return fingerprint_of(_der(signed))


class _Visit:
    """One handshake, and a byte for the client: after it TLS 1.3 knows how it has gone."""

    def __init__(
        self, tls: ServerTls, context: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> None:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        with ExitStack() as stack:
            client = stack.enter_context(
                context.wrap_socket(
                    theirs,
                    server_hostname="localhost",
                    do_handshake_on_connect=False,
                    session=session,
                )
            )
            _go_on(client)
            server = stack.enter_context(tls.wrap(ours, ours.recv(65536, socket.MSG_PEEK)))
            for side in (server, client, server, client, server):
                _go_on(side)
            server.send(b"x")
            assert client.recv(1) == b"x"
            self.shown = tls.shown_by(server)
            self.resumed = bool(client.session_reused)
            self.session = client.session


def _go_on(side: ssl.SSLSocket) -> None:
    with contextlib.suppress(ssl.SSLWantReadError):
        side.do_handshake()


@pytest.mark.parametrize("version", _VERSIONS)
@pytest.mark.parametrize("days", [(-1, 1), (-9, -1), (1, 9)])
def test_one_that_is_known_is_taken_whatever_its_date(
    tmp_path: Path, pair: TlsSettings, version: ssl.TLSVersion, days: tuple[int, int]
) -> None:
    alice, other = make_certificate("alice", days=days), make_certificate("alice")
    tls = ServerTls(pair, [_der(other), _der(alice)])  # of the same name
    context = showing(tmp_path, alice)
    context.maximum_version = version
    assert _Visit(tls, context).shown == _named(alice)


@pytest.mark.parametrize("version", _VERSIONS)
def test_one_that_nobody_knows_is_refused(
    tmp_path: Path, pair: TlsSettings, version: ssl.TLSVersion
) -> None:
    tls = ServerTls(pair, [_der(make_certificate("alice"))])
    context = showing(tmp_path, make_certificate("alice"))
    context.maximum_version = version
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed certificate"):
        _Visit(tls, context)


def test_one_that_a_known_one_has_signed_is_nobodys(tmp_path: Path, pair: TlsSettings) -> None:
    alice = make_certificate("alice", signs=True)
    tls = ServerTls(pair, [_der(alice)])
    assert _Visit(tls, showing(tmp_path, make_certificate("robot", alice))).shown == ""


def test_one_that_an_unknown_authority_has_signed_is_taken_if_it_is_known(
    tmp_path: Path, pair: TlsSettings
) -> None:
    alice = make_certificate("alice", make_certificate("authority", signs=True))
    assert _Visit(ServerTls(pair, [_der(alice)]), showing(tmp_path, alice)).shown == _named(alice)


def test_who_has_none_comes_without(pair: TlsSettings) -> None:
    tls = ServerTls(pair, [_der(make_certificate("alice"))])
    assert _Visit(tls, trusting_anybody()).shown == ""


@pytest.mark.parametrize(
    ("offered", "asked"),
    [
        (["irc"], True),
        (["http/1.1"], False),
        (["h2", "http/1.1"], False),
        (["irc", "http/1.1"], False),
        (["http/1.0"], False),
        (["xmpp-client"], False),
    ],
)
def test_who_may_speak_http_is_not_asked(
    tmp_path: Path, pair: TlsSettings, offered: list[str], asked: bool
) -> None:
    alice, stranger = make_certificate("alice"), make_certificate("stranger")
    tls = ServerTls(pair, [_der(alice)])
    context = showing(tmp_path, alice)
    context.set_alpn_protocols(offered)
    assert _Visit(tls, context).shown == (_named(alice) if asked else "")
    context = showing(tmp_path, stranger)
    context.set_alpn_protocols(offered)
    with pytest.raises(ssl.SSLError) if asked else contextlib.nullcontext():
        _Visit(tls, context)


def test_where_none_is_known_nobody_is_asked(tmp_path: Path, pair: TlsSettings) -> None:
    tls = ServerTls(pair)
    assert tls.asking is None
    assert _Visit(tls, showing(tmp_path, make_certificate("alice"))).shown == ""


def test_a_reload_takes_new_ones_and_forgets_old_ones(tmp_path: Path, pair: TlsSettings) -> None:
    alice, bob = make_certificate("alice"), make_certificate("bob")
    contexts = {one: showing(tmp_path, one) for one in (alice, bob)}
    tls = ServerTls(pair, [_der(alice)])
    tls.reload([_der(bob)])
    assert _Visit(tls, contexts[bob]).shown == _named(bob)
    with pytest.raises(ssl.SSLCertVerificationError):
        _Visit(tls, contexts[alice])
    tls.reload([])
    assert _Visit(tls, contexts[alice]).shown == _Visit(tls, contexts[bob]).shown == ""


@pytest.mark.parametrize("version", _VERSIONS)
def test_a_session_that_is_resumed_has_the_certificate(
    tmp_path: Path, pair: TlsSettings, version: ssl.TLSVersion
) -> None:
    alice = make_certificate("alice")
    tls = ServerTls(pair, [_der(alice)])
    context = showing(tmp_path, alice)
    context.maximum_version = version
    first = _Visit(tls, context)
    again = _Visit(tls, context, first.session)
    assert (first.resumed, again.resumed) == (False, True)
    assert again.shown == first.shown == _named(alice)
    tls.reload([_der(make_certificate("bob"))])
    with pytest.raises(ssl.SSLCertVerificationError):  # it is asked anew, and not known any more
        _Visit(tls, context, again.session)


@contextmanager
def _pairs(kind: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    with ExitStack() as stack:
        if kind == "unix":
            one, other = socket.socketpair()
        else:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            other = socket.create_connection(listener.getsockname())
            one, _ = listener.accept()
        yield stack.enter_context(one), stack.enter_context(other)


_HELLO = b"\x16\3\1\0\x64" + bytes(100)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_hello_is_looked_at_and_left_where_it_is(kind: str) -> None:
    with _pairs(kind) as (server, client):
        client.sendall(_HELLO + b"more")
        assert tls_handshake._peek_hello_by(server, monotonic() + 10) == _HELLO
        assert server.recv(1000) == _HELLO + b"more"
        client.sendall(b"x")  # any byte wakes again
        assert wait_for(server, select.POLLIN, 10)


@pytest.mark.parametrize("length", [1, 5, 50])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_hello_whose_end_never_comes_is_cut_short(kind: str, length: int) -> None:
    with _pairs(kind) as (server, client):
        client.sendall(_HELLO[:length])
        client.shutdown(socket.SHUT_WR)
        assert tls_handshake._peek_hello_by(server, monotonic() + 10) == _HELLO[:length]


@pytest.mark.parametrize("length", [1, 5, 50])
def test_a_hello_that_is_late_is_waited_for_without_looking_again(length: int) -> None:
    with _pairs("tcp") as (server, client):
        client.sendall(_HELLO[:length])
        with pytest.raises(tls_handshake.HandshakeError, match="not done in"):
            tls_handshake._peek_hello_by(server, monotonic() + 0.05)
        # Nothing of what is there has woken it: else it would have been cut short.
        assert server.recv(1000) == _HELLO[:length]
