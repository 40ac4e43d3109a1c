"""When two names look the same although they are not (Unicode TS 39, confusable detection)."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import cache
from importlib.resources import files

import msgspec

#: What TS 39's table has for ASCII itself.
_ASCII = str.maketrans({"I": "l", "1": "l", "|": "l", "0": "O", "m": "rn"})


def skeletons(nick: str, key: str) -> set[str]:
    """What a name looks like: as it is written, and in small letters, since `\u0421` is a `C` and
    `\u0456` an `i`. Two names look the same if they have one of these in common.

    The first that is not plain ASCII reads the table, which takes 20 ms.
    """
    if nick.isascii():
        small = key.translate(_ASCII).lower()
        return {small} if nick == key else {nick.translate(_ASCII).lower(), small}
    return {_skeleton(nick), _skeleton(key)}


class Lookalikes:
    """Names, found by what they look like. Every way takes the same time however many there are.

    Two names of plain ASCII never count as lookalikes: `bob1` and `bobl` are people's and programs'
    own, and everybody knows to tell them apart.
    """

    def __init__(self) -> None:
        self._ascii: Counter[str] = Counter()
        self._others: Counter[str] = Counter()

    def add(self, nick: str, key: str) -> None:
        """Somebody has this name."""
        names = self._ascii if nick.isascii() else self._others
        for skeleton in skeletons(nick, key):
            names[skeleton] += 1

    def remove(self, nick: str, key: str) -> None:
        """Nobody has it any more."""
        names = self._ascii if nick.isascii() else self._others
        for skeleton in skeletons(nick, key):
            names[skeleton] -= 1
            if not names[skeleton]:
                del names[skeleton]

    def has_like(self, nick: str, key: str, besides: set[str]) -> bool:
        """Somebody has a name that looks like this one, other than one whose skeletons are
        `besides` (empty: nobody's).
        """
        if nick.isascii():
            if not self._others:
                return False
            looks = skeletons(nick, key)
            return any(self._others[one] > (one in besides) for one in looks)
        looks = skeletons(nick, key)
        return any(self._others[one] + self._ascii[one] > (one in besides) for one in looks)


class _Confusable(msgspec.Struct, gc=False):
    c: str


@cache
def _prototypes() -> dict[int, str]:
    """What each confusable character stands for. Blocks for a read of a file.

    The package has Unicode's table with every pair in both directions: a character with one partner
    is shown by that partner, one with several is what others are shown by.
    """
    data = files("confusable_homoglyphs").joinpath("confusables.json").read_bytes()
    table = {
        _bare(one): [_bare(other.c) for other in others]
        for one, others in msgspec.json.decode(data, type=dict[str, list[_Confusable]]).items()
    }
    prototypes = {}
    for one, others in table.items():
        if len(one) != 1 or len(others) != 1:
            continue
        (other,) = others
        if len(table.get(other, "")) > 1 or (not other.isascii(), other) < (not one.isascii(), one):
            prototypes[ord(one)] = other
    return prototypes


def _bare(text: str) -> str:
    """Without the marks that the table puts around what is written from right to left."""
    return text.replace("\u200e", "")


def _skeleton(name: str) -> str:
    shown = unicodedata.normalize("NFD", name).translate(_prototypes())
    return unicodedata.normalize("NFD", shown).casefold()
