from __future__ import annotations

from pathlib import Path

import pytest

from chatroom.access.accounts import Account
from chatroom.access.file import AccessFile
from chatroom.access.passwords import hash_password
from chatroom.room.role import Role

#: Of every account in these tests.
PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def accounts(tmp_path: Path, password_hash: str) -> AccessFile:
    """Alice is a member, Olga an operator, Lily a listener."""
    file = AccessFile(str(tmp_path / "room.access"))
    for nick, role in (("Alice", Role.MEMBER), ("olga", Role.OPERATOR), ("lily", Role.LISTENER)):
        file.put(Account(nick.lower(), nick, role, password_hash))
    return file


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_text("open sesame\n")
    return path
