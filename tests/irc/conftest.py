"""Rooms that are not open, or have accounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatroom.access.file import AccessFile
from chatroom.settings import Access, AccessSettings
from tests.access.conftest import accounts, password_hash, secret_file

__all__ = ["accounts", "mixed_room", "password_hash", "secret_file", "secret_room"]


@pytest.fixture
def secret_room(secret_file: Path) -> AccessSettings:
    return AccessSettings(access=Access.SECRET, secret_file=str(secret_file))


@pytest.fixture
def mixed_room(accounts: AccessFile) -> AccessSettings:
    return AccessSettings(access=Access.MIXED, accounts_file=accounts.path)
