"""One IRC client, as its session knows it: how far it has come, and what it asks for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from chatroom.protocol import answers
from chatroom.protocol.irc.asked import Registering
from chatroom.protocol.irc.caps import NO_CAPS
from chatroom.protocol.irc.names import channel_of
from chatroom.protocol.irc.voice import Asked, Label, Standing, Voice
from chatroom.protocol.people import Activity, Card
from chatroom.protocol.requests import (
    Answered,
    Credentials,
    Hello,
    Introduce,
    Outside,
    Request,
    Speaks,
)
from chatroom.room.nick import NickInvalid, is_reserved, parse_nick

if TYPE_CHECKING:
    from chatroom.protocol.irc.multiline import Multiline
    from chatroom.protocol.irc.render import FormOf, Rendered
    from chatroom.protocol.irc.sasl import Begun
    from chatroom.protocol.irc.voice import Parts
    from chatroom.protocol.requests import Draft
    from chatroom.protocol.session import Visit

#: So many people are told of in one turn: less than 1 ms, whatever is asked of each.
_PAGE_PEOPLE = 64


class Client:
    """What the commands work on. `drafts` is what they ask of the room, in order."""

    __slots__ = (
        "_asked",
        "_form_of",
        "activity",
        "cap_version",
        "caps",
        "card",
        "certificate",
        "channel",
        "credentials",
        "drafts",
        "encrypted",
        "form",
        "joined",
        "label",
        "multiline",
        "negotiating",
        "registering",
        "rules",
        "sasl",
        "standing",
        "venue",
        "wanted",
    )

    def __init__(self, visit: Visit, form_of: FormOf) -> None:
        self._form_of = form_of
        self.venue = visit.venue
        self.rules = visit.rules
        self.encrypted = visit.encrypted
        self.certificate = visit.certificate
        self.channel = channel_of(visit.venue.room)
        self.standing = Standing()
        self.caps = NO_CAPS
        self.cap_version = 301
        self.negotiating = False  #: registration waits for CAP END
        self.wanted = ""  #: the nick that it asks for
        self.registering = False  #: it has asked the room for it
        self.activity = Activity(time.time())
        self.card = Card(activity=self.activity)
        self.credentials: Credentials | None = None  #: what it has said to prove itself
        self.sasl: Begun | None = None  #: a log-in that it has begun
        self.joined = False
        self.label: Label | None = None  #: of the line that is being dealt with
        self.multiline: Multiline | None = None  #: the batch that it has begun
        #: What is asked of the room, in order; what an iterator gives is asked one by one, each
        #: after the answer to the one before.
        self.drafts: list[Draft | Iterator[Draft]] = []
        self._asked = 0
        self.take_caps(NO_CAPS)

    @property
    def registered(self) -> bool:
        return self.standing.registered

    @property
    def mechanisms(self) -> str:
        """Those of SASL by which it can log in."""
        return "PLAIN,EXTERNAL" if self.certificate else "PLAIN"

    def ask(self, asked: Asked) -> str:
        """The id for a request whose answer is to be rendered by `asked`."""
        self._asked += 1
        number = str(self._asked)
        asked.label = self.label
        if self.label is not None:
            self.label.waits += 1
        self.standing.asked[number] = asked
        return number

    def next_draft(self) -> Draft | None:
        """Take the next of what is asked; None if there is nothing."""
        while self.drafts:
            first = self.drafts.pop(0)
            if not isinstance(first, Iterator):
                return first
            behind, self.drafts = self.drafts, []
            draft = next(first, None)
            if draft is not None:
                self.drafts += (draft, first)
            self.drafts += behind
        return None

    def find(self, finding: Asked, nicks: str = "") -> None:
        """Ask about people: those who are named, or all members, page by page."""
        self.drafts.append(pages(finding, self.ask(finding), nicks))

    def list_names(self, names: Asked) -> None:
        """Ask for the names of all members."""
        self.drafts.append(looks(names, self.ask(names)))

    def count(self, finding: Asked) -> None:
        """Ask how many members there are."""
        self.drafts.append(Request("people", id=self.ask(finding), limit=0))

    def next_reference(self) -> str:
        """A name for a batch."""
        self._asked += 1
        return f"b{self._asked}"

    def say(self, *lines: Parts | Rendered) -> None:
        """Answer with these lines, which keep their place among the room's answers."""
        number = None if self.label is None else self.ask(Asked())
        self.drafts.append(Answered(answers.Lines(lines, number)))

    def fail(self, command: str, code: str, *context: str) -> None:
        """Answer with a standard reply; the last of `context` is its text."""
        self.say(("FAIL", command, code, *context))

    def take_caps(self, caps: frozenset[str]) -> None:
        """From here on it is spoken to with these capabilities."""
        self.caps = caps
        self.form = self._form_of(self.venue, caps)
        voice = Voice(self.form, caps, self.standing)
        self.drafts.append(Speaks(self.form, speaker=voice, goes_on=True))

    def introduce(self, card: Card) -> None:
        """It says something else of itself."""
        self.card = card
        if self.registered:
            self.drafts.append(Introduce(card))

    def want_nick(self, nick: str) -> bool:
        """Whether the room may be asked for `nick`; if not, the client has been told."""
        try:
            parse_nick(nick)
        except NickInvalid as error:
            self.say(("432", nick.partition(" ")[0] or "*", f"Erroneous nickname: {error}"))
            return False
        return True

    def register_if_ready(self) -> None:
        """Ask the room for a name, if all that registering takes has been said."""
        ready = self.wanted and self.card.user and not self.negotiating
        if ready and not (self.registering or self.registered):
            self.registering = True
            guest = is_reserved(*parse_nick(self.wanted))
            number = self.ask(Registering(self.venue, self.wanted))
            nick = None if guest else self.wanted
            outside = Outside(self.card, number)
            self.drafts.append(Hello(nick, credentials=self.credentials, outside=outside))

    def change_card(self, **changes: object) -> None:
        """As `introduce`, with some of it changed."""
        self.introduce(msgspec.structs.replace(self.card, **changes))


def looks(asked: Asked, number: str) -> Iterator[Draft]:
    """Requests that `asked` has a look at the room, until it has seen all."""
    while not asked.over:
        yield Request("people", id=number, limit=0)


def pages(asked: Asked, number: str, nicks: str = "") -> Iterator[Draft]:
    """Requests for people, until all have been told of."""
    offset = 0
    while not asked.over:
        yield Request("people", nicks, id=number, offset=offset, limit=_PAGE_PEOPLE)
        offset += _PAGE_PEOPLE
