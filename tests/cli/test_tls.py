"""TLS as a user has it: the server's options, its log, SIGHUP, and the client's options."""

from __future__ import annotations

import signal
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.certificates import make_certificate, write_pair
from tests.cli.running import PATIENCE_SECONDS, ServerProcess, clean_environment, run_chatroom


def _certificate(server: ServerProcess) -> str:
    return ssl.get_server_certificate(("127.0.0.1", server.port))


def test_a_certificate_of_its_own(tmp_path: Path) -> None:
    journal = str(tmp_path / "room.db")
    fingerprints = []
    for _ in range(2):
        with ServerProcess("--tls", "auto", "--journal", journal) as server:
            fingerprints.append(server.ready["tls"])
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
            server.rest_of_log()
    assert fingerprints[0] == fingerprints[1]
    assert stat.S_IMODE((tmp_path / "room.pem").stat().st_mode) == 0o600


def test_sighup_reloads(tmp_path: Path) -> None:
    pair = write_pair(tmp_path, make_certificate("localhost"))
    options = ("--tls-cert", pair.certificate, "--tls-key", pair.key)
    with ServerProcess(*options) as server, server.enter("alice") as alice:
        before = _certificate(server)
        new = make_certificate("localhost")
        Path(pair.key).write_bytes(new.key_pem())
        server.signal(signal.SIGHUP)
        server.logged("certificate not reloaded, the old one stays: no TLS with")
        assert _certificate(server) == before
        Path(pair.certificate).write_bytes(new.pem)
        server.signal(signal.SIGHUP)
        server.logged("certificate reloaded")
        assert _certificate(server).encode() == new.pem
        alice.say("/ping")
        while alice.line() != "-- pong":
            pass
        server.signal(signal.SIGTERM)
        alice.rest()
        assert server.wait() == 0
        server.rest_of_log()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--require-tls"], "give --tls-cert, or --tls auto"),
        (["--tls-key", "key.pem"], "give --tls-cert too"),
        (["--tls", "auto", "--tls-cert", "cert.pem"], "give one of them"),
        (["--tls-cert", "nowhere.pem"], "no TLS with nowhere.pem"),
    ],
)
def test_what_is_no_tls_is_said(options: list[str], said: str) -> None:
    done = run_chatroom("serve", "--port", "0", "--journal", ":memory:", *options)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def _client(port: int, *options: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "chatroom", "client", "--port", str(port), *options]
    return subprocess.run(
        [*command, "--retry", "0", "hello"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
        env=clean_environment(XDG_CONFIG_HOME=str(home)),
    )


def test_the_client_believes_whom_it_is_told_to(tmp_path: Path) -> None:
    root = make_certificate("root", signs=True)
    (tmp_path / "root.pem").write_bytes(root.pem)
    pair = write_pair(tmp_path, make_certificate("localhost", root))
    with ServerProcess("--tls-cert", pair.certificate, "--tls-key", pair.key) as server:
        port, fingerprint = server.port, str(server.ready["tls"])
        first = _client(port, "--tls", home=tmp_path)
        assert (first.returncode, f"its certificate {fingerprint}" in first.stderr) == (0, True)
        again = _client(port, "--tls", home=tmp_path)
        assert (again.returncode, again.stderr) == (0, "")
        assert _client(port, "--tls-ca", str(tmp_path / "root.pem"), home=tmp_path).returncode == 0
        assert _client(port, "--tls-fingerprint", fingerprint, home=tmp_path).returncode == 0
        wrong = _client(port, "--tls-fingerprint", "sha256:" + "0" * 64, home=tmp_path)
        assert wrong.returncode == 1
        assert "IS ANOTHER" in wrong.stderr
        none = _client(port, "--tls-ca", str(tmp_path / "nowhere.pem"), home=tmp_path)
        assert (none.returncode, "No such file" in none.stderr) == (1, True)
        bad = _client(port, "--tls-fingerprint", "12:34", home=tmp_path)
        assert (bad.returncode, "is no fingerprint" in bad.stderr) == (2, True)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert not [record for record in server.rest_of_log() if record["level"] != "info"]
