"""What Tab does: nicks, the latest speaker first, and commands."""

from __future__ import annotations

from collections.abc import Sequence

from chatroom.client.terminal.commands import COMMANDS


def candidates(before: str, nicks: Sequence[str]) -> list[str]:
    """What the text before the cursor can become, the best first.

    A nick at the beginning of a line is followed by a colon, elsewhere by a space.
    """
    start = before.rfind(" ") + 1
    word = before[start:].casefold()
    if start == 0 and word.startswith("/"):
        return [f"/{name} " for name in COMMANDS if name.startswith(word[1:])]
    end = ": " if start == 0 else " "
    return [before[:start] + nick + end for nick in nicks if nick.casefold().startswith(word)]


class Completion:
    """Goes round the candidates as long as nothing else is typed."""

    def __init__(self) -> None:
        self._round: list[str] = []
        self._index = 0

    def next(self, before: str, nicks: Sequence[str], step: int = 1) -> str:
        """The text before the cursor after one more Tab; the same if nothing fits."""
        if self._round and before == self._round[self._index]:
            self._index = (self._index + step) % len(self._round)
            return self._round[self._index]
        # The round ends where it began, with what was typed.
        found = candidates(before, nicks)
        self._round = [*found, before] if found else []
        self._index = 0 if step > 0 or not found else len(found) - 1
        return self._round[self._index] if found else before
