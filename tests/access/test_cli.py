"""`chatroom account`, `chatroom admin` and the options of `chatroom serve`, as one types them."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256

from chatroom.access.accounts import Account
from chatroom.access.file import AccessFile
from chatroom.access.passwords import is_password
from chatroom.room.role import Role
from tests.access.conftest import PASSWORD
from tests.certificates import make_certificate
from tests.cli.running import ServerProcess, clean_environment


def _run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "chatroom", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment(),
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_accounts_are_made_changed_listed_and_removed(tmp_path: Path) -> None:
    place = ["--accounts", str(tmp_path / "accounts")]
    file = AccessFile(str(tmp_path / "accounts"))
    added = _run("account", "add", "Zoe", *place, stdin=f"{PASSWORD}\n")
    assert added == (0, "Zoe has an account now: member\n", "")
    account = file.account("zoe")
    assert account is not None
    assert account.password_hash.startswith("$argon2id$")
    assert stat.S_IMODE((tmp_path / "accounts").stat().st_mode) == 0o600
    status, _, err = _run("account", "add", "ZOE", *place, stdin=f"{PASSWORD}\n")
    assert (status, err.count("\n")) == (1, 1)
    assert "already" in err
    assert _run("account", "role", "zoe", "operator", *place)[1] == "Zoe is now: operator\n"
    assert _run("account", "password", "zoe", *place, stdin="another password\n")[0] == 0
    account = file.account("zoe")
    assert account is not None
    assert is_password("another password", account.password_hash)
    assert _run("account", "list", *place)[1] == "Zoe\toperator\n"
    assert _run("account", "remove", "Zoe", *place)[0] == 0
    assert _run("account", "list", *place)[1] == ""


def test_certificates_are_added_shown_and_removed(tmp_path: Path) -> None:
    place = ["--accounts", str(tmp_path / "accounts")]
    for name in ("Zoe", "bob"):
        _run("account", "add", name, *place, stdin=f"{PASSWORD}\n")
    signed = make_certificate("zoe")
    pem = tmp_path / "zoe.pem"
    pem.write_bytes(signed.key_pem() + signed.pem + make_certificate("another").pem)
    fingerprint = "sha256:" + signed.certificate.fingerprint(SHA256()).hex()
    added = _run("account", "certificate", "zoe", "--add", str(pem), *place)
    assert added == (0, f"Zoe logs in with {fingerprint} after the next reload\n", "")
    assert _run("account", "certificate", "zoe", *place)[1] == f"{fingerprint}\n"
    assert _run("account", "certificate", "bob", *place)[:2] == (0, "")
    taken = _run("account", "certificate", "bob", "--add", str(pem), *place)
    assert (taken[0], "Zoe has that certificate" in taken[2]) == (1, True)
    spelled = fingerprint.upper()  # as people copy it
    others = _run("account", "certificate", "bob", "--remove", spelled, *place)
    assert (others[0], "bob has no certificate" in others[2]) == (1, True)
    removed = _run("account", "certificate", "zoe", "--remove", spelled, *place)
    assert removed == (0, f"Zoe does not log in with {fingerprint} any more\n", "")
    assert _run("account", "certificate", "zoe", *place)[:2] == (0, "")


@pytest.mark.parametrize(
    ("arguments", "status", "hint"),
    [
        (["nobody"], 1, "no account nobody"),
        (["zoe", "--add", "{}/none"], 1, "No such file"),
        (["zoe", "--add", "{}/key.pem"], 1, "none in PEM"),
        (["zoe", "--add", "{}/broken.pem"], 1, "is no certificate"),
        (["zoe", "--remove", "abcd"], 2, "is no fingerprint"),
        (["zoe", "--add", "{}/key.pem", "--remove", "abcd"], 2, "one of them"),
    ],
)
def test_mistakes_with_certificates(
    tmp_path: Path, accounts: AccessFile, arguments: list[str], status: int, hint: str
) -> None:
    accounts.put(Account("zoe", "zoe", Role.MEMBER, "hash"))
    (tmp_path / "key.pem").write_bytes(make_certificate("zoe").key_pem())
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    (tmp_path / "broken.pem").write_bytes(broken)
    words = [word.format(tmp_path) for word in arguments]
    code, out, err = _run("account", "certificate", *words, "--accounts", accounts.path)
    assert (code, out) == (status, "")
    assert hint in err
    assert accounts.certificates() == []


@pytest.mark.parametrize(
    ("arguments", "stdin", "status", "hint"),
    [
        (["add", "zoe"], "short\n", 1, "8 characters"),
        (["add", "server"], "", 2, "not to be chosen"),
        (["remove", "nobody"], "", 1, "no account nobody"),
        (["role", "nobody", "king"], "", 2, "king"),
    ],
)
def test_mistakes_with_accounts(
    tmp_path: Path, arguments: list[str], stdin: str, status: int, hint: str
) -> None:
    place = ["--accounts", str(tmp_path / "accounts")]
    code, out, err = _run("account", *arguments, *place, stdin=stdin)
    assert (code, out) == (status, "")
    assert hint in err
    assert not (tmp_path / "accounts").exists()


def test_a_server_with_accounts_and_its_administrator(tmp_path: Path) -> None:
    journal = str(tmp_path / "room.db")
    for name, role in (("olga", "operator"), ("alice", "member")):
        arguments = ["account", "add", name, "--role", role, "--journal", journal]
        assert _run(*arguments, stdin=f"{PASSWORD}\n")[0] == 0
    options = ["--journal", journal, "--access", "accounts"]
    with ServerProcess(*options) as server, server.knock() as alice:
        alice.say("/nick alice", f"/login alice {PASSWORD}", "a secret", "/ping")
        assert "(login_needed)" in alice.line()
        assert "you are alice" in alice.line()
        assert alice.line() == "-- pong"
        status, out, _ = _run("admin", "status", "--journal", journal)
        assert (status, out.splitlines()[0]) == (
            0,
            "lobby: 1 members, 1 connections, the last event is #2"
            f" of session {server.ready['session']}",
        )
        assert _run("admin", "delete", "2", "--journal", journal)[0] == 0
        assert alice.line() == "-- server removed what was said in #2"
        banned = _run(
            "admin", "ban", "account:alice", "enough", "--for", "1h", "--journal", journal
        )
        assert banned == (0, "account:alice is banned for 3600 s\n", "")
        assert alice.line() == "-- bye (kicked): by server: enough"
        status, out, err = _run("admin", "kick", "nobody", "--journal", journal)
        assert (status, out) == (1, "")
        assert "nobody here is nobody" in err
        as_json = json.loads(_run("admin", "status", "--json", "--journal", journal)[1])
        assert (as_json["members"], as_json["ended"]) == (0, {"kicked": 1})
        assert _run("admin", "drain", "--journal", journal)[0] == 0
        assert server.wait() == 0
        log = json.dumps(server.rest_of_log())
    assert PASSWORD not in log
    assert "server: ban" in log
    status, _, err = _run("admin", "status", "--journal", journal)
    assert (status, err.count("\n")) == (1, 1)
    assert _run("history", "--journal", journal, "--search", "secret")[1] == ""
    with ServerProcess(*options) as server, server.knock() as alice:
        alice.say(f"/login alice {PASSWORD}")
        assert alice.line() == (
            f"-- you are banned until {AccessFile(journal + '.access').charter().bans[0].until}:"
            " enough (banned)"
        )
        assert _run("admin", "unban", "account:alice", "--journal", journal)[0] == 0
        assert _run("admin", "bans", "--journal", journal) == (0, "", "")


@pytest.mark.parametrize(
    ("options", "status", "hint"),
    [
        (["--access", "secret"], 1, "--secret-file"),
        (["--access", "accounts"], 1, "--accounts"),
        (["--secret-file", "x"], 2, "--access secret"),
        (["--access", "secret", "--secret-file", "none"], 1, "cannot read the secret"),
        (["--access", "friends"], 2, "friends"),
    ],
)
def test_an_access_that_cannot_be_is_said(options: list[str], status: int, hint: str) -> None:
    code, out, err = _run("serve", "--port", "0", "--journal", ":memory:", *options)
    assert (code, out) == (status, "")
    assert hint in err


def test_a_room_that_is_open_to_the_network_says_so() -> None:
    with ServerProcess("--host", "0.0.0.0") as server:
        warnings = [each for each in server.log if each["level"] == "warning"]
    assert [each["message"] for each in warnings] == [
        f"everybody who reaches 0.0.0.0:{server.port} comes in: see --access"
    ]
