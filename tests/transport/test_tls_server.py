"""Certificates: what is taken, what is refused, what is made."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import stat
import subprocess
from pathlib import Path

import pytest

from chatroom.errors import ChatroomError
from chatroom.settings import IN_MEMORY, TlsSettings
from chatroom.transport.tls_auto import own_certificate
from chatroom.transport.tls_server import ServerTls
from tests.certificates import Signed, make_certificate, trusting_anybody, write_pair


def _seen(tls: ServerTls, context: ssl.SSLContext) -> bytes:
    """The certificate that a client of a server's sees, as PEM. Raises what its handshake does."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with (
        tls.wrap(ours) as server,
        context.wrap_socket(
            theirs, server_hostname="localhost", do_handshake_on_connect=False
        ) as client,
    ):
        for side in (client, server, client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        certificate = client.getpeercert(binary_form=True)
        assert certificate is not None
        return ssl.DER_cert_to_PEM_cert(certificate).encode()


def _openssl_fingerprint(path: str) -> str:
    command = ["openssl", "x509", "-in", path, "-noout", "-fingerprint", "-sha256"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return "sha256:" + said.strip().partition("=")[2].replace(":", "").lower()


def test_the_fingerprint_is_what_openssl_says(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, make_certificate("localhost"))
    assert ServerTls(pair).fingerprint == _openssl_fingerprint(pair.certificate)


def test_a_chain_is_shown_to_clients(tmp_path: Path) -> None:
    root = make_certificate("root", signs=True)
    between = make_certificate("between", root, signs=True)
    leaf = make_certificate("localhost", between)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=root.pem.decode())
    assert _seen(ServerTls(write_pair(tmp_path, leaf, between)), context) == leaf.pem
    without = ServerTls(write_pair(tmp_path, leaf))
    with pytest.raises(ssl.SSLCertVerificationError):
        _seen(without, context)


@pytest.mark.parametrize(
    ("certificate", "key"),
    [("mine", "another's"), ("none", "mine"), ("mine", "none"), ("garbage", "mine")],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, certificate: str, key: str) -> None:
    mine, other = make_certificate("localhost"), make_certificate("localhost")
    contents = {"mine": mine, "another's": other}
    for name, signed in contents.items():
        (tmp_path / f"{name}.cert").write_bytes(signed.pem)
        (tmp_path / f"{name}.key").write_bytes(signed.key_pem())
    (tmp_path / "garbage.cert").write_text("not a certificate")
    pair = TlsSettings(
        certificate=str(tmp_path / f"{certificate}.cert"), key=str(tmp_path / f"{key}.key")
    )
    with pytest.raises(ChatroomError, match="no TLS with"):
        ServerTls(pair)


def test_a_key_with_a_password_is_refused_and_not_asked_for(tmp_path: Path) -> None:
    signed = make_certificate("localhost")
    pair = write_pair(tmp_path, signed)
    Path(pair.key).write_bytes(signed.key_pem(b"secret"))
    with pytest.raises(ChatroomError, match="the key is encrypted"):
        ServerTls(pair)


def test_a_key_that_everybody_can_read_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair = write_pair(tmp_path, make_certificate("localhost"))
    ServerTls(pair)
    assert caplog.records == []
    os.chmod(pair.key, 0o644)
    ServerTls(pair)
    (record,) = caplog.records
    assert record.getMessage() == f"everybody on this machine can read the key in {pair.key}"


def _replace(pair: TlsSettings, certificate: Signed, key: Signed) -> None:
    Path(pair.certificate).write_bytes(certificate.pem)
    Path(pair.key).write_bytes(key.key_pem())


def test_a_reload_takes_a_pair_that_fits_and_no_other(tmp_path: Path) -> None:
    first, second = make_certificate("localhost"), make_certificate("localhost")
    pair = write_pair(tmp_path, first)
    tls = ServerTls(pair)
    before = tls.fingerprint
    _replace(pair, second, first)
    with pytest.raises(ChatroomError):
        tls.reload()
    assert tls.fingerprint == before
    assert _seen(tls, trusting_anybody()) == first.pem
    _replace(pair, second, second)
    tls.reload()
    assert tls.fingerprint == _openssl_fingerprint(pair.certificate) != before
    assert _seen(tls, trusting_anybody()) == second.pem


def test_old_versions_and_weak_ciphers_are_refused(tmp_path: Path) -> None:
    tls = ServerTls(write_pair(tmp_path, make_certificate("localhost")))
    context = trusting_anybody()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
        _seen(tls, context)


def test_a_certificate_of_ones_own_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    journal = str(tmp_path / "room.db")
    before = os.umask(0)
    try:
        pair = own_certificate(journal)
    finally:
        os.umask(before)
    assert pair.certificate == pair.key == str(tmp_path / "room.pem")
    assert stat.S_IMODE(os.stat(pair.key).st_mode) == 0o600
    first = ServerTls(pair).fingerprint
    assert ServerTls(own_certificate(journal)).fingerprint == first
    assert os.listdir(tmp_path) == ["room.pem"]


def test_without_a_journal_it_is_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert own_certificate(IN_MEMORY).key == "chatroom.pem"


def test_what_others_may_have_put_there_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "room.pem").symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(ChatroomError, match="no file of this server's user"):
        own_certificate(str(tmp_path / "room.db"))
    with pytest.raises(ChatroomError, match="cannot make a certificate"):
        own_certificate(str(tmp_path / "nowhere" / "room.db"))
