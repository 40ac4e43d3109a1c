"""Which names can be had, and when two are one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatroom.room.nick import MAX_NICK_CHARS, NickInvalid, is_reserved, parse_nick


@pytest.mark.parametrize(
    "nick",
    [
        "a",
        "7",
        "Alice",
        "a_-.[]|",
        "x" * 32,
        "\u00e9\u00e8",
        "\u042e\u043b\u0438\u044f",
        "\u0939\u093f\u0928\u094d\u0926\u0940",  # Hindi: letters with vowel signs and a virama
        "\u0e19\u0e49\u0e33",  # Thai: a letter with a tone mark
        "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd",  # Hebrew with points
        "\uae40",
        "\u674e\u660e",
        "\U00020000" * 32,
    ],
)
def test_names_that_can_be_had(nick: str) -> None:
    shown, _ = parse_nick(nick)
    assert len(shown) <= MAX_NICK_CHARS


@pytest.mark.parametrize(
    "nick",
    [
        "",
        "x" * 33,
        "\u00e9" * 33,
        *("-x", "*x", "_x", ".x", "[x", "|x", "\u0301x"),
        *("a b", " ab", "ab ", "a\tb", "a\u00a0b", "\u3000", "\u00e9\u3000", "\u2003\u00e9"),
        *("a\nb", "a\x00b", "a\x7fb", "a\x85b", "a\x1b[2J"),
        *("a/b", "a:b", "a,b", "a@b", "a#b", "a'b", 'a"b', "a\\b", "a{b"),
        *("\u3164", "a\u3164b", "\uffa0", "a\u115f", "a\u1160", "a\u2800b", "a\u17b4"),
        *("a\u200bb", "a\u200db", "a\u00adb", "a\u034fb", "a\ufe0fb", "a\U000e0100b", "a\ufeffb"),
        *("a\u202eb", "a\u2066b", "a\U000e0041b", "a\ue000b", "a\U0010ffffb", "a\u0378b"),
        *("\U0001f600", "a\u2764", "\ufdfa" * 32),
    ],
    ids=ascii,
)
def test_names_that_cannot_be_had(nick: str) -> None:
    with pytest.raises(NickInvalid) as caught:
        parse_nick(nick)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alice", "alice"),
        ("ALICE", "aLiCe"),
        ("\uff21lice", "alice"),  # a fullwidth A (RFC 8266: normalisation with NFKC)
        ("e\u0301", "\u00e9"),
        ("\u00c9", "e\u0301"),
        ("\u03a3\u0399\u03a3", "\u03c3\u03b9\u03c2"),  # final sigma
        ("Stra\u00dfe", "STRASSE"),
        ("\ufb01n", "FIN"),
        ("\u212b", "\u00e5"),  # the angstrom sign
        ("\u0130", "i\u0307"),
    ],
    ids=ascii,
)
def test_names_that_are_one(one: str, other: str) -> None:
    assert parse_nick(one)[1] == parse_nick(other)[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [("alice", "alicia"), ("a", "\u0430"), ("a-b", "a_b"), ("e", "\u00e9"), ("l", "1")],
    ids=ascii,
)
def test_names_that_are_two(one: str, other: str) -> None:
    assert parse_nick(one)[1] != parse_nick(other)[1]


def test_what_is_normalised_is_shown_normalised() -> None:
    assert parse_nick("\uff21lice") == ("Alice", "alice")
    assert parse_nick("e\u0301")[0] == "\u00e9"


@pytest.mark.parametrize(
    "nick", ["server", "SERVER", "guest", "Guest1", "guesthouse", "\uff47uest1", "\uff33erver"]
)
def test_names_that_the_server_keeps_for_itself(nick: str) -> None:
    assert is_reserved(*parse_nick(nick))


@pytest.mark.parametrize("nick", ["servers", "myguest", "gues"])
def test_names_that_only_look_like_those(nick: str) -> None:
    assert not is_reserved(*parse_nick(nick))


@given(
    st.text(max_size=40) | st.text("aA\u00e9\u0301\u3164\u00df\u0130\u0939\u093f-_ ", max_size=6)
)
@example("I\u0307\u0300\u0300")  # without case, of one more mark
def test_a_name_is_refused_or_sound(wanted: str) -> None:
    try:
        nick, key = parse_nick(wanted)
    except NickInvalid:
        return
    assert 1 <= len(nick) <= MAX_NICK_CHARS
    assert nick[0].isalnum()
    assert nick.isprintable()
    assert not any(character.isspace() for character in nick)
    # What is shown can be asked for again, and is the same name.
    assert parse_nick(nick) == (nick, key)
    if len(key) <= MAX_NICK_CHARS:
        assert parse_nick(key)[1] == key


def test_what_grows_too_long_is_refused_before_it_is_prepared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One character may stand for eighteen: 31 of them took 3 ms."""
    monkeypatch.setattr("precis_i18n.get_profile", lambda _: pytest.fail("prepared"))
    for wanted in ("\ufdfa" * 2, "\u3300" * 31):
        with pytest.raises(NickInvalid, match="32 characters"):
            parse_nick(wanted)
