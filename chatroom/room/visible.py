"""Text from others, made harmless for a terminal."""

from __future__ import annotations

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
_SUSPECT = _REPLACED | _MARKS


def visible(text: str, tab: str = TAB) -> str:
    """`text` with nothing in it that moves the cursor, changes the terminal or hides.

    What would is shown as U+FFFD, so that one sees that something was there; `tab` stands for a
    TAB. The result has no line ends. A server of ours has replaced most of it; the one at the other
    end may be another.
    """
    if text.isprintable() and (
        text.isascii() or _SUSPECT.isdisjoint(map(unicodedata.category, text))
    ):
        return text
    shown: list[str] = []
    marks = 0
    for index, character in enumerate(text):
        category = unicodedata.category(character)
        marks = marks + 1 if category in _MARKS else 0
        if character == "\t":
            shown.append(tab)
        elif character in JOINERS:
            if _joins(text, index):
                shown.append(character)
        elif category in _REPLACED:
            shown.append(REPLACEMENT)
        elif marks <= MARKS:
            shown.append(character)
    return "".join(shown)


def _joins(text: str, index: int) -> bool:
    around = text[max(0, index - 1) : index] + text[index + 1 : index + 2]
    return len(around) == 2 and all(unicodedata.category(one)[0] in "LMS" for one in around)


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
