"""Who may come in, on paper: credentials, failures, files."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from chatroom.access import passwords
from chatroom.access.accounts import (
    Account,
    Certificate,
    check_new_password,
    name_of_account,
)
from chatroom.access.failures import FORGET_SECONDS, Failures
from chatroom.access.file import AccessFile
from chatroom.access.guard import GUEST, Guard, Identity
from chatroom.access.passwords import hash_password, is_password
from chatroom.access.place import PLACES, place_of
from chatroom.access.secret import read_secret
from chatroom.errors import ChatroomError
from chatroom.protocol.jsonlines.session import parse_hello
from chatroom.protocol.requests import Credentials, Hello
from chatroom.room.bans import Ban
from chatroom.room.charter import Charter
from chatroom.room.refused import Refused
from chatroom.room.role import Role
from chatroom.server.entrance import Entrance
from chatroom.settings import Access, AccessSettings
from tests.access.conftest import PASSWORD

ALICE = Credentials(account="aLice", password=PASSWORD)


def _refusal(guard: Guard, credentials: Credentials) -> str:
    with pytest.raises(Refused) as refused:
        guard.prove(credentials)
    return f"{refused.value.code}: {refused.value.text}"


def test_the_right_password_says_who_one_is(accounts: AccessFile) -> None:
    for access in (Access.ACCOUNTS, Access.MIXED, Access.SECRET):
        guard = Guard(access, "open sesame", accounts)
        assert guard.prove(ALICE) == Identity("Alice", Role.MEMBER)
        olga = Credentials(account="olga", password=PASSWORD)
        assert guard.prove(olga) == Identity("olga", Role.OPERATOR)


def test_every_failure_is_said_in_the_same_words(accounts: AccessFile) -> None:
    guard = Guard(Access.ACCOUNTS, "", accounts)
    wrong = [
        Credentials(account="alice", password="another"),
        Credentials(account="nobody", password=PASSWORD),
        Credentials(account="-", password=PASSWORD),
        Credentials(account="nobody", password=""),
        Credentials(account="alice", password="x" * 2000),
        Credentials(secret=""),
        Credentials(secret="open sesame"),
    ]
    assert {_refusal(guard, credentials) for credentials in wrong} == {
        "login_failed: the log-in failed"
    }


def test_an_unknown_name_is_hashed_for_all_the_same(
    accounts: AccessFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time an answer takes does not tell who has an account: equal work is done."""
    verified: list[tuple[str, str | None]] = []

    def verify(password: str, password_hash: str | None) -> bool:
        verified.append((password, password_hash))
        return is_password(password, password_hash)

    monkeypatch.setattr("chatroom.access.guard.is_password", verify)
    guard = Guard(Access.ACCOUNTS, "", accounts)
    _refusal(guard, Credentials(account="nobody", password=PASSWORD))
    _refusal(guard, Credentials(account="alice", password="wrong"))
    assert [password_hash is None for _, password_hash in verified] == [True, False]
    costs = hash_password("x").split("$")[:4]
    assert passwords._hash_of_nobody().split("$")[:4] == costs


def test_the_first_unknown_name_takes_no_longer_than_the_next() -> None:
    passwords._hash_of_nobody.cache_clear()
    assert is_password(PASSWORD, hash_password(PASSWORD))
    assert passwords._hash_of_nobody.cache_info().currsize == 1


def test_a_certificate_says_who_one_is_and_its_account_alone_may_be_named(
    accounts: AccessFile,
) -> None:
    accounts.put_certificate(Certificate("sha256:1", "olga", b"one"))
    for access in (Access.ACCOUNTS, Access.MIXED, Access.SECRET):
        guard = Guard(access, "open sesame", accounts)
        for name in ("", "OLGA"):
            credentials = Credentials(account=name, certificate="sha256:1")
            assert guard.prove(credentials) == Identity("olga", Role.OPERATOR)
        wrong = [
            Credentials(account="alice", certificate="sha256:1"),
            Credentials(account="-", certificate="sha256:1"),
            Credentials(account="alice", password=PASSWORD, certificate="sha256:1"),
            Credentials(certificate="sha256:2"),
            Credentials(account="olga", certificate="sha256:2"),
        ]
        refusals = {_refusal(guard, credentials) for credentials in wrong}
        assert refusals == {"login_failed: the log-in failed"}
    known = Credentials(certificate="sha256:1")
    assert _refusal(Guard(Access.SECRET, "x"), known).startswith("login_failed")
    accounts.remove_certificate("sha256:1")
    assert _refusal(guard, known).startswith("login_failed")


def test_certificates_go_with_their_account(accounts: AccessFile) -> None:
    for number, key in enumerate(("olga", "alice", "olga")):
        accounts.put_certificate(Certificate(f"sha256:{number}", key, b"x"))
    olga = accounts.account("olga")
    assert olga is not None
    assert accounts.account_with("sha256:2") == olga
    accounts.put(olga)  # with another role, say
    assert len(accounts.certificates()) == 3
    accounts.remove("olga")
    accounts.put(olga)
    assert accounts.account_with("sha256:2") is None
    assert accounts.certificates() == [Certificate("sha256:1", "alice", b"x")]


def test_certificates_are_asked_for_where_one_can_log_in(accounts: AccessFile) -> None:
    accounts.put_certificate(Certificate("sha256:1", "olga", b"one"))

    def asked_for(access: Access, path: str | None = accounts.path) -> list[bytes]:
        settings = AccessSettings(access=access, accounts_file=path)
        return list(Entrance(settings).certificates())

    assert [asked_for(access) for access in Access if access is not Access.OPEN] == [[b"one"]] * 3
    assert asked_for(Access.OPEN) == asked_for(Access.SECRET, None) == []


@pytest.mark.parametrize("broken", ["", "$argon2id$v=19$m=1", "plain text"])
def test_a_hash_that_cannot_be_read_lets_nobody_in(broken: str) -> None:
    assert not is_password("", broken or None)
    assert not is_password("plain text", broken)


def test_the_secret_lets_guests_in_and_nothing_else_does() -> None:
    guard = Guard(Access.SECRET, "öpen sesame")
    assert guard.prove(Credentials(secret="öpen sesame")) == GUEST
    # As plain text has it, where a secret of two words may be a name and a password.
    spaced = Credentials(secret="öpen sesame", account="öpen", password="sesame")
    assert guard.prove(spaced) == GUEST
    for wrong in ("", "open", "öpen sesame ", "ÖPEN SESAME"):
        assert _refusal(guard, Credentials(secret=wrong)).startswith("login_failed")


def test_credentials_show_themselves_to_nobody() -> None:
    hello = parse_hello(b'{"nick":"a","secret":"hush","account":"b","password":"hush"}')
    held = [ALICE, Hello(credentials=Credentials("hush", "b", "hush")), hello]
    assert hello.credentials == Credentials("hush", "b", "hush")
    for value in held:
        assert "hush" not in repr(value)
        assert PASSWORD not in repr(value)
    assert "$argon2" not in repr(Account("a", "a", Role.MEMBER, hash_password("x")))


def test_each_failure_doubles_the_wait_and_tries_at_once_queue_up() -> None:
    failures = Failures()
    assert failures.wait_seconds("192.0.2.1", 0.0) == 0.0
    for _ in range(3):
        failures.failed("192.0.2.1", 10.0)
    assert [failures.wait_seconds("192.0.2.1", 10.0) for _ in range(3)] == [2.0, 4.0, 6.0]
    assert failures.wait_seconds("192.0.2.2", 10.0) == 0.0
    assert failures.wait_seconds("192.0.2.1", 11.0 + FORGET_SECONDS) == 0.0
    for _ in range(100):
        failures.failed("192.0.2.3", 20.0)
    assert failures.wait_seconds("192.0.2.3", 20.0) == 60.0


def test_one_place_is_an_ipv4_address_or_a_64_of_ipv6() -> None:
    assert place_of("2001:db8::1") == place_of("2001:db8::ffff") != place_of("2001:db8:0:1::1")
    assert place_of("::ffff:192.0.2.1") == place_of("192.0.2.1") == "192.0.2.1"
    assert [place_of(here) for here in ("127.0.0.9", "::1", "", "unix")] == [""] * 4


def test_only_so_many_places_are_remembered() -> None:
    failures = Failures()
    for number in range(PLACES + 1):
        failures.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
    assert failures.wait_seconds("10.0.0.0", 0.0) == 0.0
    assert failures.wait_seconds("10.0.0.1", 0.0) > 0.0


def test_what_is_kept_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "room.access"
    file = AccessFile(str(path))
    assert (file.accounts(), file.account("a"), file.charter()) == ([], None, Charter())
    assert not file.remove("a")
    assert not path.exists()  # nothing was to be kept so far
    account = Account("zoe", "Zoe", Role.MEMBER, "hash")
    charter = Charter(bans=(Ban("bob", "olga", "T", "U", "enough"),), topic="cats", topic_seq=7)
    file.put(account)
    file.keep(charter)
    again = AccessFile(str(path))
    assert (list(again.accounts()), again.account("zoe"), again.charter()) == (
        [account],
        account,
        charter,
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert again.remove("zoe")
    assert list(again.accounts()) == []


def _of_version_1(path: Path) -> None:
    """The file as the first version has made it, with an account."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in (
            "CREATE TABLE account (key TEXT PRIMARY KEY, nick TEXT NOT NULL, role TEXT NOT NULL,"
            " password_hash TEXT NOT NULL)",
            "CREATE TABLE room (one INTEGER PRIMARY KEY CHECK (one = 1), charter TEXT NOT NULL)",
            "INSERT INTO account VALUES ('zoe', 'Zoe', 'member', 'hash')",
            "PRAGMA application_id = 0x43684163",
            "PRAGMA user_version = 1",
        ):
            connection.execute(statement)
    path.chmod(0o600)


def test_the_file_of_an_older_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "room.access"
    _of_version_1(path)
    file = AccessFile(str(path))
    assert file.certificates() == []
    assert file.accounts() == [Account("zoe", "Zoe", Role.MEMBER, "hash")]
    file.put_certificate(Certificate("sha256:1", "zoe", b"\0\xff"))
    assert AccessFile(str(path)).certificates() == [Certificate("sha256:1", "zoe", b"\0\xff")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("version", [0, 3])
def test_the_file_of_a_version_to_come_is_left_as_it_was(tmp_path: Path, version: int) -> None:
    path = tmp_path / "room.access"
    _of_version_1(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(ChatroomError, match="of accounts of version 2"):
        AccessFile(str(path)).accounts()
    assert path.read_bytes() == before


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "room.access"
    AccessFile(str(path)).keep(Charter())
    path.chmod(0o640)
    with pytest.raises(ChatroomError, match="chmod 600"):
        AccessFile(str(path)).accounts()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ChatroomError, match="cannot use"):
        AccessFile(str(link)).keep(Charter())
    assert not (tmp_path / "elsewhere").exists()


def test_who_looks_meanwhile_leaves_the_locks_of_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "room.access"
    file = AccessFile(str(path))
    file.keep(Charter())
    write = (
        "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    )
    with file._writing():
        looking = threading.Thread(target=file.account, args=("zoe",))
        looking.start()
        looking.join()
        other = subprocess.run(
            [sys.executable, "-c", write, path], capture_output=True, text=True, check=False
        )
    assert "database is locked" in other.stderr


@pytest.mark.parametrize("contents", ["a note", "another database"])
def test_what_is_not_ours_is_left_as_it_was(tmp_path: Path, contents: str) -> None:
    path = tmp_path / "room.access"
    if contents == "a note":
        path.write_text(contents)
    else:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE note (text)")
        connection.close()
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(ChatroomError):
        AccessFile(str(path)).keep(Charter())
    with pytest.raises(ChatroomError):
        AccessFile(str(path)).accounts()
    assert path.read_bytes() == before


def test_a_secret_is_a_line_that_nobody_else_can_read(secret_file: Path) -> None:
    assert read_secret(str(secret_file)) == "open sesame"
    secret_file.chmod(0o644)
    with pytest.raises(ChatroomError, match="others may read"):
        read_secret(str(secret_file))
    secret_file.chmod(0o600)
    for nothing in (b"", b"\nsecond line", b"\xff", b"x" * 5000):
        secret_file.write_bytes(nothing)
        with pytest.raises(ChatroomError, match="secret"):
            read_secret(str(secret_file))
    with pytest.raises(ChatroomError, match="cannot read"):
        read_secret(os.devnull + "/none")


def test_what_is_missing_for_the_chosen_access_is_said() -> None:
    for access, hint in ((Access.SECRET, "--secret-file"), (Access.ACCOUNTS, "--accounts")):
        with pytest.raises(ChatroomError, match=hint):
            Entrance(AccessSettings(access=access)).check()


def test_accounts_without_argon2_are_said_at_the_start(
    accounts: AccessFile, secret_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "argon2", None)
    passwords._hasher.cache_clear()
    with pytest.raises(ChatroomError, match=r"chatroom\[accounts\]"):
        Entrance(AccessSettings(access=Access.MIXED, accounts_file=accounts.path)).check()
    secret_room = AccessSettings(
        access=Access.SECRET,
        secret_file=str(secret_file),
        accounts_file=str(tmp_path / "none"),
    )
    guard = Entrance(secret_room).guard()
    assert guard.prove(Credentials(secret="open sesame")) == GUEST
    assert _refusal(guard, ALICE).startswith("login_failed")
    passwords._hasher.cache_clear()


def test_a_topic_of_another_log_has_no_number_in_this_one(accounts: AccessFile) -> None:
    accounts.keep(Charter(topic="cats", topic_seq=7))
    entrance = Entrance(AccessSettings(access=Access.MIXED, accounts_file=accounts.path))
    assert entrance.charter(7).topic_seq == 7
    begun_anew = entrance.charter(6)
    assert (begun_anew.topic, begun_anew.topic_seq) == ("cats", 0)
    assert begun_anew.governed
    assert begun_anew.owned == ("Alice", "lily", "olga")
    assert Entrance(AccessSettings(accounts_file=accounts.path)).charter(7).owned == ()


def test_names_and_passwords_of_new_accounts() -> None:
    assert name_of_account("Zoë") == ("Zoë", "zoë")
    for name in ("guest1", "server", "-x", "a b", ""):
        with pytest.raises(Refused):
            name_of_account(name)
    check_new_password("12345678")
    for password in ("1234567", "é" * 600):
        with pytest.raises(Refused):
            check_new_password(password)
