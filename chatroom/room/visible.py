"""Text from others, made harmless for a terminal."""

from __future__ import annotations

import re
import unicodedata

REPLACEMENT = "\ufffd"

#: A TAB would jump to a column of the terminal's own; so many spaces stand for it.
TAB = "    "

#: Join letters in Arabic, in the scripts of India and in emoji; only of use between two others.
JOINERS = "\u200c\u200d"

#: More marks than this on one letter are no language's, and climb over the lines around.
MARKS = 4

#: Controls; surrogates; line and paragraph separators; format characters, among which are all that
#: turn the direction of writing, hide text or have no width.
_REPLACED = frozenset({"Cc", "Cs", "Zl", "Zp", "Cf"})
_MARKS = frozenset({"Mn", "Me"})

#: The first of the marks, and all that may be one.
_LATER = re.compile("[\u0300-\U0010ffff]")

#: How many characters' kinds are remembered: no language has as many.
_MOST_KINDS = 4096


class _Kinds(dict[int, str]):
    """What each character is, as a letter: a table for `str.translate`."""

    def __missing__(self, code: int) -> str:
        if len(self) >= _MOST_KINDS:  # somebody shows all there are
            self.clear()
        kind = self[code] = _kind(chr(code))
        return kind


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if character == "\t":
        return "t"
    if character in JOINERS:
        return "j"
    if category in _REPLACED:
        return "x"
    if category in _MARKS:
        return "m"
    return "l" if category[0] in "LMS" else "."


_KINDS = _Kinds()
_GONE = " "

#: Marks too many; joiners that are not between two of what they join.
_DROPPED = re.compile(f"(?<={'m' * MARKS})m|(?<![lm])j|j(?![lm])")


def visible(text: str, tab: str = TAB) -> str:
    """`text` with nothing in it that moves the cursor, changes the terminal or hides.

    What would is shown as U+FFFD, so that one sees that something was there; `tab` stands for a
    TAB. The result has no line ends. A server of ours has replaced most of it; the one at the other
    end may be another.
    """
    if text.isprintable() and (text.isascii() or not _has_marks(text)):
        return text
    kinds = text.translate(_KINDS)
    kept = _DROPPED.sub(_GONE, kinds)
    if kept != kinds or "x" in kinds:
        text = "".join(
            REPLACEMENT if kind == "x" else character
            for character, kind in zip(text, kept, strict=True)
            if kind != _GONE
        )
    return text.replace("\t", tab)


def _has_marks(text: str) -> bool:
    """Whether there are any in what is printable."""
    return _LATER.search(text) is not None and not _MARKS.isdisjoint(
        map(unicodedata.category, set(text))
    )


def json_safe(encoded: bytes) -> bytes:
    """A line of JSON with the characters that `visible` replaces written as `\\u….` escapes.

    The JSON means the same; on a terminal it is harmless. C0 is escaped in any JSON.
    """
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    text = encoded.decode()
    return "".join(
        _escape(one) if unicodedata.category(one) in _REPLACED else one for one in text
    ).encode()


def _escape(character: str) -> str:
    code = ord(character)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
