"""Who else may read the secret's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatroom.access.secret import read_secret
from chatroom.errors import ChatroomError


def test_what_systemd_hands_over_may_show_an_acl_as_the_groups_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    path.write_text("open sesame\n")
    path.chmod(0o440)
    with pytest.raises(ChatroomError, match="others may read"):
        read_secret(str(path))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret(str(path)) == "open sesame"
    for mode in (0o444, 0o460):
        path.chmod(mode)
        with pytest.raises(ChatroomError, match="others may read"):
            read_secret(str(path))
