"""Colours for a terminal, or none."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Mapping

#: Of the 256 colours those that can be read on black and on white, and told from each other.
NICKS_256 = (
    32, 34, 35, 37, 62, 64, 65, 67, 68, 71, 74, 94, 96, 97, 98, 100, 101, 103, 104, 107,
    125, 126, 127, 129, 131, 132, 133, 135, 136, 137, 139, 160, 161, 162, 164, 166, 167,
    168, 169, 172, 173, 175,
)  # fmt: skip

#: For terminals that have only these: no black, white or grey, no red, which is for warnings.
NICKS_16 = (32, 33, 34, 35, 36, 92, 93, 94, 95, 96)


class Colours:
    """Wraps text into the escape sequences of a terminal; without `wanted`, leaves it alone."""

    def __init__(self, *, wanted: bool, many: bool = True) -> None:
        self.wanted = wanted
        self._many = many

    @classmethod
    def for_terminal(cls, environment: Mapping[str, str], *, wanted: bool) -> Colours:
        """As the environment says: `NO_COLOR` (no-color.org), `TERM`, `COLORTERM`."""
        terminal = environment.get("TERM", "")
        wanted = wanted and not environment.get("NO_COLOR") and terminal != "dumb"
        many = "256" in terminal or "COLORTERM" in environment
        return cls(wanted=wanted, many=many)

    def nick(self, nick: str) -> str:
        """A nick in its colour, the same on every day and every machine."""
        key = unicodedata.normalize("NFKC", nick).casefold().encode()
        number = zlib.crc32(key)
        if self._many:
            return self._wrap(f"38;5;{NICKS_256[number % len(NICKS_256)]}", nick)
        return self._wrap(str(NICKS_16[number % len(NICKS_16)]), nick)

    def own(self, text: str) -> str:
        return self._wrap("1", text)

    def called(self, text: str) -> str:
        """Somebody wrote one's own name."""
        return self._wrap("1;7", text)

    def faint(self, text: str) -> str:
        return self._wrap("90", text)

    def warning(self, text: str) -> str:
        return self._wrap("31", text)

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.wanted else text
