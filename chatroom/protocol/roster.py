"""A long list of names, kept in pieces that are ready to be sent."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from chatroom.room.nick import parse_nick

if TYPE_CHECKING:
    from chatroom.protocol.people import Person


#: Per cent of a piece that are taken at first, so that one more name does not halve it.
_FULL_PART = 75


class _Piece:
    """Names that follow each other."""

    __slots__ = ("_joined", "keys", "size_bytes", "texts")

    def __init__(self, keys: list[str], texts: list[str]) -> None:
        self.keys = keys
        self.texts = texts
        self.size_bytes = sum(len(text.encode()) + 1 for text in texts)
        self._joined: str | None = None

    @property
    def text(self) -> str:
        if self._joined is None:
            self._joined = " ".join(self.texts)
        return self._joined

    def put(self, key: str, text: str) -> None:
        self.drop(key)
        at = bisect_left(self.keys, key)
        self.keys.insert(at, key)
        self.texts.insert(at, text)
        self.size_bytes += len(text.encode()) + 1

    def drop(self, key: str) -> None:
        at = bisect_left(self.keys, key)
        if self.keys[at : at + 1] == [key]:
            self.size_bytes -= len(self.texts[at].encode()) + 1
            del self.keys[at], self.texts[at]
        self._joined = None

    def halves(self) -> tuple[_Piece, _Piece]:
        middle = len(self.keys) // 2
        return (
            _Piece(self.keys[:middle], self.texts[:middle]),
            _Piece(self.keys[middle:], self.texts[middle:]),
        )


def _cut(names: Sequence[tuple[str, str]], limit_bytes: int) -> list[_Piece]:
    """Pieces of at most so many bytes, and at least one."""
    pieces = []
    start = size_bytes = 0
    for at, (_, text) in enumerate(names):
        size_bytes += len(text.encode()) + 1
        if size_bytes > limit_bytes and at > start:
            pieces.append(_piece(names[start:at]))
            start, size_bytes = at, len(text.encode()) + 1
    return [*pieces, _piece(names[start:])]


def _piece(names: Sequence[tuple[str, str]]) -> _Piece:
    return _Piece([key for key, _ in names], [text for _, text in names])


class Roster:
    """Who is in the room, in the order of their keys. Everybody who comes in by IRC wants the whole
    list, and while thousands come it is another one for each: so it is changed, not made anew. It
    takes 40 µs for 3,000 names, and 3 ms to make them from the members.
    """

    def __init__(
        self, text: Callable[[Person], str], limit_bytes: int, people: Iterable[Person] = ()
    ) -> None:
        """`text`: how a name is written; no piece has more than `limit_bytes`, unless one name
        has. `people`: who is there already.
        """
        self._text = text
        self._limit_bytes = limit_bytes
        names = sorted((parse_nick(person.nick)[1], text(person)) for person in people)
        self._pieces = _cut(names, limit_bytes * _FULL_PART // 100)
        # From which key on each of them has the names.
        self._firsts = ["", *(piece.keys[0] for piece in self._pieces[1:])]

    def put(self, person: Person) -> None:
        """It is there, or is written differently now."""
        key = parse_nick(person.nick)[1]
        at = self._at(key)
        piece = self._pieces[at]
        piece.put(key, self._text(person))
        if piece.size_bytes > self._limit_bytes and len(piece.keys) > 1:
            self._pieces[at : at + 1] = halves = piece.halves()
            self._firsts.insert(at + 1, halves[1].keys[0])

    def drop(self, nick: str) -> None:
        """It has gone. Does nothing if it was not there."""
        key = parse_nick(nick)[1]
        at = self._at(key)
        self._pieces[at].drop(key)
        self._unite(at)
        self._unite(at - 1)

    def page(self, start: str, most: int) -> tuple[Sequence[str], str]:
        """At most so many pieces, and where the next page begins: empty, if this is the last.
        `start`: where this one does; empty: at the first.
        """
        at = self._at(start)
        pieces = self._pieces[at : at + most]
        following = self._firsts[at + most : at + most + 1]
        return [piece.text for piece in pieces if piece.keys], following[0] if following else ""

    def _at(self, key: str) -> int:
        return bisect_right(self._firsts, key) - 1

    def _unite(self, at: int) -> None:
        """A piece and the next are one, if both have become short."""
        if not 0 <= at < len(self._pieces) - 1:
            return
        piece, following = self._pieces[at : at + 2]
        if piece.size_bytes + following.size_bytes <= self._limit_bytes // 2:
            keys, texts = piece.keys + following.keys, piece.texts + following.texts
            self._pieces[at : at + 2] = [_Piece(keys, texts)]
            del self._firsts[at + 1]
