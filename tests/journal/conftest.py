from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journal.disk import Disk, obedient_disk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal may be made."""
    return tmp_path / "room.db"


@pytest.fixture
def disk() -> Iterator[Disk]:
    with obedient_disk() as disk:
        yield disk
