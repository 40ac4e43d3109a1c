"""The writing of a name: one script, and no towers of marks (Unicode TS 39)."""

from __future__ import annotations

import unicodedata

#: More on one letter are no name's, and climb over the lines around. Hebrew and Hindi have two.
MAX_MARKS = 2

#: Belong to any script.
_NEUTRAL = frozenset({"COMMON", "INHERITED"})

#: Written together: the "highly restrictive" level, section 5.2.
_TOGETHER = (
    frozenset({"LATIN", "HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "HAN", "BOPOMOFO"}),
    frozenset({"LATIN", "HAN", "HANGUL"}),
)


def fault_of_writing(name: str) -> str | None:
    """Why a name, normalised, cannot be had because of the scripts, digits or marks in it; None:
    it can.

    A name of two scripts is nearly always made to look like another one. What is plain ASCII has
    no fault.
    """
    if name.isascii():
        return None
    # Imported here: a table of 50 KB that a room with plain ASCII names never needs.
    from confusable_homoglyphs.categories import alias  # noqa: PLC0415

    scripts = {alias(character) for character in name} - _NEUTRAL
    if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
        return "a nick is written in one script"
    zeros = {ord(one) - unicodedata.decimal(one) for one in name if one.isdecimal()}
    if len(zeros) > 1:
        return "the digits of a nick are of one script"
    marks = 0
    for character in name:
        marks = marks + 1 if unicodedata.category(character).startswith("M") else 0
        if marks > MAX_MARKS:
            return f"a letter of a nick has at most {MAX_MARKS} marks"
    return None
