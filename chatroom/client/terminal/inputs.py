"""What was typed before, kept between runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from prompt_toolkit.history import History

#: Lines kept; more than anybody goes back through.
KEPT = 1000

#: Lines that begin so are not kept. The room's other clients log in by them, and whoever is used to
#: that has typed a password.
_SECRETS = ("/login", "/json")


def default_path(environment: Mapping[str, str]) -> Path:
    """Where the XDG base directory specification wants such state."""
    state = environment.get("XDG_STATE_HOME", "")
    # The specification says that a path which is not absolute is to be ignored.
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return base / "chatroom" / "typed"


class TypedLines(History):
    """Typed lines in a file that only their owner can read, one a line, the newest last.

    A file that can't be read or written is as good as none: talking goes on.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._lines = 0

    def load_history_strings(self) -> Iterable[str]:
        try:
            lines = self._path.read_text("utf-8", "replace").splitlines()
        except OSError:
            return []
        self._lines = len(lines)
        if self._lines > 2 * KEPT:
            self._rewrite(lines[-KEPT:])
        return reversed(lines[-KEPT:])

    def store_string(self, string: str) -> None:
        # A pasted block is one entry on the way in, and becomes one a line.
        lines = (line for line in string.splitlines() if line.strip())
        text = "".join(f"{line}\n" for line in lines if not line.startswith(_SECRETS))
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(self._path, "a", encoding="utf-8", errors="replace", opener=_private) as file:
                file.write(text)
        except OSError:
            pass

    def _rewrite(self, lines: list[str]) -> None:
        fresh = self._path.with_suffix(".new")
        try:
            with open(fresh, "w", encoding="utf-8", errors="replace", opener=_private) as file:
                file.writelines(f"{line}\n" for line in lines)
            fresh.replace(self._path)
        except OSError:
            pass


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
