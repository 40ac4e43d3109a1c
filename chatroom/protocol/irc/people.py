"""WHO, WHOIS and the like: what the room's answers about people read like."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from chatroom.protocol import answers
from chatroom.protocol.irc.asked import all_prefixes, prefix
from chatroom.protocol.irc.names import HOST, MEMBER, SERVER, matches
from chatroom.protocol.irc.render import Rendered
from chatroom.protocol.irc.voice import Asked

if TYPE_CHECKING:
    from chatroom.protocol.irc.voice import Parts, Voice
    from chatroom.protocol.people import Person


#: So many who have gone are told of at most.
_MOST_GONE = 20


class Finding(Asked):
    """A question about people that `found` answers."""

    __slots__ = ("_found",)

    def __init__(self, found: Callable[[Voice, answers.Found], Iterable[Parts]]) -> None:
        super().__init__()
        self._found = found

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        assert isinstance(answer, answers.Found)
        self.over = not answer.more
        return self._found(voice, answer)


class Counting(Asked):
    """A question that only takes how many there are."""

    __slots__ = ("_counted",)

    def __init__(self, counted: Callable[[answers.Found], Iterable[Parts]]) -> None:
        super().__init__()
        self._counted = counted

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        assert isinstance(answer, answers.Found)
        self.over = True
        return self._counted(answer)


def user(person: Person) -> str:
    return person.card.user or MEMBER


def who_query(mask: str, fields: str) -> Finding:
    """WHO: those whose nicks match, all of the channel for its name or `*`. `fields`: of WHOX."""

    def found(voice: Voice, answer: answers.Found) -> Iterator[Parts]:
        everybody = mask == "*" or mask.startswith("#")
        for person in answer.people:
            if everybody or matches(person.nick, mask):
                yield _whox(voice, person, fields) if fields else _who(voice, person)
        if not answer.more:
            yield "315", mask, "End of WHO list"

    return Finding(found)


def _who(voice: Voice, person: Person) -> Parts:
    card = person.card
    channel = voice.form.channel if person.inside else "*"
    realname = f"0 {card.realname or person.nick}"
    return ("352", channel, user(person), HOST, SERVER, person.nick, flags(voice, person), realname)


def flags(voice: Voice, person: Person) -> str:
    """H (here) or G (gone), @ of an operator in the room, and B of a bot."""
    card = person.card
    here, bot = "H" if card.away is None else "G", "B" if card.bot else ""
    return here + marks(voice, person) + bot


def marks(voice: Voice, person: Person) -> str:
    """What stands before its name, as this client wants it."""
    return all_prefixes(person) if "multi-prefix" in voice.caps else prefix(person)


def _whox(voice: Voice, person: Person, fields: str) -> Parts:
    wanted, _, token = fields.partition(",")
    values = {
        "t": token or "0",
        "c": voice.form.channel if person.inside else "*",
        "u": user(person),
        "i": "255.255.255.255",  # not told, as WHOX has it
        "h": HOST,
        "s": SERVER,
        "n": person.nick,
        "f": flags(voice, person),
        "d": "0",
        "l": "0",
        "a": person.card.account or "0",
        "o": "n/a",
        "r": person.card.realname or person.nick,
    }
    return ("354", *(value for field, value in values.items() if field in wanted))


def whois_query(nick: str) -> Finding:
    """WHOIS."""

    def found(voice: Voice, answer: answers.Found) -> Iterator[Parts]:
        for person in answer.people:
            yield from _whois(voice, person)
        if not answer.people:
            yield "401", nick, "No such nick"
        yield "318", nick, "End of /WHOIS list"

    return Finding(found)


def _whois(voice: Voice, person: Person) -> Iterator[Parts]:
    nick, card = person.nick, person.card
    yield "311", nick, user(person), HOST, "*", card.realname or nick
    if person.inside:
        yield "319", nick, marks(voice, person) + voice.form.channel
    yield "312", nick, SERVER, "The room"
    if card.account:
        yield "330", nick, card.account, "is logged in as"
    if card.away is not None:
        yield "301", nick, card.away
    if card.bot:
        yield "335", nick, "is a bot"
    if card.activity is not None:
        idle = max(int(time.time() - card.activity.spoke), 0)
        since = str(int(card.activity.since))
        yield "317", nick, str(idle), since, "seconds idle, signon time"


def whowas_query(wanted: str, most: int) -> Finding:
    """WHOWAS: those who have gone and had a name like it, the latest first. `most`: 0 or less means
    all.
    """

    def found(voice: Voice, answer: answers.Found) -> Iterator[Parts]:
        departed = voice.form.venue.people.departed
        gone = [one for one in reversed(departed) if matches(one.nick, wanted)]
        for one in gone[:most] if most > 0 else gone[:_MOST_GONE]:
            nick, card = one.nick, one.card
            yield "314", nick, card.user or MEMBER, HOST, "*", card.realname or nick
            at = datetime.fromisoformat(one.time)
            yield "312", nick, SERVER, f"{at:%a %b %d %H:%M:%S %Y}"
        if not gone:
            yield "406", wanted, "There was no such nickname"
        yield "369", wanted, "End of WHOWAS"

    return Finding(found)


def ison_query() -> Finding:
    """ISON."""
    return Finding(lambda _, answer: [("303", " ".join(p.nick for p in answer.people))])


def userhost_query() -> Finding:
    """USERHOST."""

    def found(voice: Voice, answer: answers.Found) -> Iterator[Parts]:
        replies = (
            f"{person.nick}={'+' if person.card.away is None else '-'}{user(person)}@{HOST}"
            for person in answer.people
        )
        yield "302", " ".join(replies)

    return Finding(found)


def operator_query(nick: str) -> Finding:
    """MODE +o or -o, which nobody may."""

    def found(voice: Voice, answer: answers.Found) -> Iterator[Parts]:
        if not answer.people:
            yield "401", nick, "No such nick"
        elif not answer.people[0].inside:
            yield "441", nick, voice.form.channel, "They aren't on that channel"
        else:
            yield "482", voice.form.channel, "Operators are made with their accounts, not here"

    return Finding(found)


def private_query(command: str, nick: str) -> Finding:
    """A message to a nick: there are none, but the client learns whether somebody has it."""

    def found(voice: Voice, answer: answers.Found) -> Iterator[Parts]:
        if not answer.people:
            yield "401", nick, "No such nick"
            return
        person = answer.people[0]
        if person.card.away is not None:
            yield "301", person.nick, person.card.away
        text = f"{command} reaches the room only: there are no private messages"
        yield "531", person.nick, text

    return Finding(found)
