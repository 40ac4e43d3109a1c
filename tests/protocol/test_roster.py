"""The list of names says who is there, in pieces that fit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatroom.protocol.people import Card, People, Person
from chatroom.protocol.roster import Roster

LIMIT_BYTES = 40

_changes = st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=200)


def _written(person: Person) -> str:
    return f"{person.nick}{'*' if person.card.bot else ''}"


def _pages(roster: Roster, most: int) -> list[str]:
    texts: list[str] = []
    page, start = roster.page("", most)
    texts += page
    while start:
        page, start = roster.page(start, most)
        texts += page
    return texts


@given(_changes, st.integers(1, 5), st.sets(st.integers(0, 30)))
def test_it_has_those_who_are_there_in_order_and_every_piece_fits(
    changes: list[tuple[bool, int]], most: int, at_first: set[int]
) -> None:
    there = {f"Nick{number:02}": f"Nick{number:02}" for number in at_first}
    roster = Roster(_written, LIMIT_BYTES, [Person(nick, Card()) for nick in there])
    for comes, number in changes:
        nick = f"Nick{number:02}"
        if comes:
            card = Card(bot=nick in there)
            roster.put(Person(nick, card))
            there[nick] = _written(Person(nick, card))
        else:
            roster.drop(nick)
            there.pop(nick, None)
        texts = _pages(roster, most)
        assert " ".join(texts).split() == [there[nick] for nick in sorted(there)]
        assert all(0 < len(text.encode()) <= LIMIT_BYTES for text in texts)


def test_a_name_that_is_longer_has_a_piece_of_its_own() -> None:
    roster = Roster(lambda person: person.nick, 8)
    for nick in ("a", "b" * 30, "c"):
        roster.put(Person(nick, Card()))
    assert _pages(roster, 1) == ["a", "b" * 30, "c"]


def test_what_has_gone_leaves_no_piece_behind() -> None:
    roster = Roster(lambda person: person.nick, LIMIT_BYTES)
    nicks = [f"nick{number:04}" for number in range(1000)]
    for nick in nicks:
        roster.put(Person(nick, Card()))
    for nick in nicks[1:]:
        roster.drop(nick)
    assert roster.page("", 2) == (["nick0000"], "")


def test_a_list_is_made_when_it_is_asked_for_and_kept_then() -> None:
    people = People()
    there = [Person("bob", Card())]
    people.members = lambda: there
    assert not people.are_listed
    roster = people.roster(_written, LIMIT_BYTES)
    assert people.are_listed
    people.put("alice", Card(bot=True))
    people.come_in("alice")
    assert roster.page("", 9) == (["alice* bob"], "")
    people.go_out("bob")
    assert people.roster(_written, LIMIT_BYTES).page("", 9) == (["alice*"], "")
