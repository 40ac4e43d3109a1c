"""Rooms that are not open, or have accounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatroom.access.file import AccessFile
from chatroom.settings import Access, AccessSettings
from tests.access.conftest import accounts, password_hash, secret_file
from tests.certificates import make_certificate, write_pair
from tests.conftest import OpenHouse
from tests.irc.club import Club, register_certificate

__all__ = ["accounts", "mixed_room", "password_hash", "secret_file", "secret_room"]


@pytest.fixture
def secret_room(secret_file: Path) -> AccessSettings:
    return AccessSettings(access=Access.SECRET, secret_file=str(secret_file))


@pytest.fixture
def mixed_room(accounts: AccessFile) -> AccessSettings:
    return AccessSettings(access=Access.MIXED, accounts_file=accounts.path)


@pytest.fixture
async def club(
    open_room: OpenHouse, mixed_room: AccessSettings, accounts: AccessFile, tmp_path: Path
) -> Club:
    olga = make_certificate("olga")
    register_certificate(accounts, "olga", olga)
    tls = write_pair(tmp_path, make_certificate("localhost"))
    return Club(await open_room(tls=tls, access=mixed_room), accounts, tmp_path, olga)
