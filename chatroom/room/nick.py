"""Names: which are allowed, and when two are the same (RFC 8266, nicknames)."""

from __future__ import annotations

import unicodedata

from chatroom.room.lookalikes import skeletons
from chatroom.room.script import fault_of_writing

MAX_NICK_CHARS = 32
_PUNCTUATION = frozenset("_-.[]|")
_ASCII_NICK = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.[]|")


class NickInvalid(ValueError):
    """A name that cannot be had; the text says why."""


def is_reserved(nick: str, key: str) -> bool:
    """Names that the server gives itself, and what looks like one: nobody may choose them."""
    if nick.isascii():
        return key == "server" or key.startswith("guest")
    return any(one == "server" or one.startswith("guest") for one in skeletons(nick, key))


def parse_nick(wanted: str) -> tuple[str, str]:
    """Check a name that somebody asks for.

    Returns the nick as it will be shown and the key under which two nicks are the same: after RFC
    8266's preparation, normalisation (NFKC) and case mapping, and full case folding on top, which
    makes `straße` and `STRASSE` one name too. Raises `NickInvalid`. Pure; does not look at whether
    the name is reserved or taken.
    """
    if not 1 <= len(wanted) <= MAX_NICK_CHARS:
        raise NickInvalid(f"a nick has 1 to {MAX_NICK_CHARS} characters")
    if wanted.isascii():
        small = wanted.lower()
        # One string where they are the same: a room keeps several of each.
        nick, key = wanted, wanted if small == wanted else small
        good = _ASCII_NICK.issuperset(nick)
    else:
        nick, key = _prepare(wanted)
        good = len(nick) <= MAX_NICK_CHARS and all(map(_belongs, nick))
    if not good:
        raise NickInvalid(
            "a nick is made of letters and digits, and of _ - . [ ] | after the first"
        )
    if not nick[0].isalnum():
        raise NickInvalid("a nick begins with a letter or a digit")
    # Of the key too: without case some letters have a mark more, and a key has to be a name itself.
    fault = fault_of_writing(nick) or fault_of_writing(key)
    if fault is not None:
        raise NickInvalid(fault)
    return nick, key


def key_of_account(name: str) -> str:
    """The key of an account's name; empty: there is none."""
    return parse_nick(name)[1] if name else ""


def _belongs(character: str) -> bool:
    # Marks (category M) are part of the letters of many scripts: Hindi and Thai cannot be written
    # without them. They cannot come first.
    return (
        character.isalnum()
        or character in _PUNCTUATION
        or unicodedata.category(character).startswith("M")
    )


def _prepare(wanted: str) -> tuple[str, str]:
    # Imported here: 20 ms that a room with plain ASCII names never spends.
    from precis_i18n import get_profile  # noqa: PLC0415

    if any(character.isspace() for character in wanted):  # which the profile would trim
        raise NickInvalid("a nick has no white space")
    # What the profile makes of it; one character may become eighteen, and take as much longer.
    if len(unicodedata.normalize("NFKC", wanted)) > MAX_NICK_CHARS:
        raise NickInvalid(f"a nick has 1 to {MAX_NICK_CHARS} characters")
    try:
        nick = get_profile("NicknameCasePreserved").enforce(wanted)
        key = get_profile("NicknameCaseMapped").enforce(wanted)
    except UnicodeEncodeError as error:
        # The error's own text is `wanted` after some steps of the preparation.
        bad = error.object[error.start : error.end]
        raise NickInvalid(f"a nick cannot have {bad!a}") from error
    return nick, unicodedata.normalize("NFKC", key.casefold())
