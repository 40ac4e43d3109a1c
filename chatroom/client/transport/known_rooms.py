"""Which certificate a server showed the first time: the client's memory, as SSH's `known_hosts`."""

from __future__ import annotations

import os
from pathlib import Path

#: In a fingerprint's place: an authority that this machine trusts vouched for the server.
AUTHORITY = "authority"


class KnownRooms:
    """The file `known_rooms`: a line for each server, its `host:port` and what it showed. Lines
    that begin with # are passed over, and so is what cannot be read as such a line.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = default_path() if path is None else path

    def look_up(self, server: str) -> str | None:
        """What `server` showed, or None the first time. Raises OSError."""
        try:
            lines = self.path.read_text("utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return None
        for line in lines:
            fields = line.split()
            if len(fields) == 2 and fields[0] == server:
                return fields[1]
        return None

    def remember(self, server: str, shown: str) -> None:
        """From now on `server` has to show this. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{server} {shown}\n")


def default_path() -> Path:
    """In the user's configuration folder (XDG Base Directory Specification)."""
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    # The specification has relative paths ignored.
    base = Path(folder) if os.path.isabs(folder) else Path.home() / ".config"
    return base / "chatroom" / "known_rooms"
