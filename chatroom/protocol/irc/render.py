"""IRC from events: the same bytes for all whose capabilities have the same effect on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from chatroom.event import Event, Gap
from chatroom.protocol import answers
from chatroom.protocol.format import end_of_line
from chatroom.protocol.irc.caps import EFFECTIVE, NO_CAPS
from chatroom.protocol.irc.line import pieces, tag
from chatroom.protocol.irc.names import SERVER, channel_of, mask
from chatroom.protocol.people import NO_CARD
from chatroom.room.operators import ADMINISTRATOR
from chatroom.room.role import Role
from chatroom.settings import IRC_LINE_BYTES

if TYPE_CHECKING:
    from chatroom.protocol.people import Card
    from chatroom.protocol.session import Venue


class Rendered(NamedTuple):
    """A line without its end, its tags apart: an answer may have to add some."""

    tags: tuple[str, ...]
    text: str

    @property
    def opens_batch(self) -> bool:
        """Whether it begins a batch."""
        return self.text.split(" ", 2)[1:2] == ["BATCH"]

    @property
    def is_nested(self) -> bool:
        """Whether it is of a batch already."""
        return any(tag.startswith("batch=") for tag in self.tags)


@dataclass(frozen=True, slots=True)
class Irc:
    """Lines of IRC; see `chatroom.protocol.format.Format`."""

    venue: Venue = field(compare=False)
    #: The capabilities that this client has and that have an effect here (`caps.EFFECTIVE`).
    caps: frozenset[str] = NO_CAPS

    name = "irc"
    of_json = False
    ping = f"PING :{SERVER}\r\n".encode()

    @property
    def channel(self) -> str:
        return channel_of(self.venue.room)

    def event(self, event: Event | Gap, block: bytes) -> bytes:
        if type(event) is Event and event.kind == "message" and event.text and not self.caps:
            # What a room says most, to those who ask for nothing more, at a third of the time.
            command = "NOTICE" if event.notice else "PRIVMSG"
            text = f"{self.source(event.nick)} {command} {self.channel} :{event.text}\r\n"
            record = text.encode()
            if len(record) <= IRC_LINE_BYTES:
                return record
        return as_bytes(self.lines(event))

    def lines(self, event: Event | Gap) -> list[Rendered]:
        """The lines of an event, which may be none."""
        if isinstance(event, Gap):
            return [Rendered((), f":{SERVER} NOTICE {self.channel} :-- {event.text}")]
        if event.kind == "message" or event.kind == "action":
            return self._talk(event) if event.text else []  # what was redacted is not told
        tags = self._tags(event)  # of the first line: the others only follow from it
        texts = enumerate(self._happening(event))
        return [Rendered(() if index else tags, text) for index, text in texts]

    def answer(self, answer: answers.AnyAnswer) -> bytes:
        """What is said to all without a number; the rest is the speaker's."""
        return as_bytes(Rendered((), text) for text in self._told(answer))

    def frame(self, records: bytes) -> bytes:
        return records

    def bye(self, bye: answers.Bye) -> bytes:
        text = f"Closing link: ({bye.reason}) {bye.text}".rstrip()
        return self.frame(f"ERROR :{text}\r\n".encode())

    def boundary(self, sent: bytes, offset: int) -> int:
        return end_of_line(sent, offset)

    def source(self, nick: str, *, now: str = "") -> str:
        """The source of a line; `now`: under which name the same person goes by now."""
        return f":{mask(nick, self.venue.people.card(now or nick))}"

    def message_id(self, seq: int) -> str:
        """What IRC calls an event: its session and its number, which mean it for ever."""
        return f"{self.venue.session_of(seq)}-{seq}"

    def _tags(self, event: Event, part: int = 0) -> tuple[str, ...]:
        caps = self.caps
        if not caps:
            return ()
        tags = []
        if "server-time" in caps:
            tags.append(f"time={event.time[:23]}Z")
        if "message-tags" in caps:
            suffix = f".{part}" if part else ""
            tags.append(f"msgid={self.message_id(event.seq)}{suffix}")
            if self.venue.people.card(event.nick).bot:
                tags.append("bot")
        account = self.venue.people.card(event.nick).account
        if account and "account-tag" in caps:
            tags.append(tag("account", account))
        return tuple(tags)

    def _talk(self, event: Event) -> list[Rendered]:
        command = "NOTICE" if event.notice else "PRIVMSG"
        head = f"{self.source(event.nick)} {command} {self.channel} :"
        before, after = ("\x01ACTION ", "\x01") if event.kind == "action" else ("", "")
        text = f"{head}{before}{event.text}{after}"
        size = len(text) if text.isascii() else len(text.encode())
        if size <= IRC_LINE_BYTES - 2:
            return [Rendered(self._tags(event), text)]
        around = len(head.encode()) + len(before) + len(after)
        cut = pieces(event.text, IRC_LINE_BYTES - 2 - around)
        if "draft/multiline" in self.caps and not before:
            return self._batch(event, head, cut)
        return [
            Rendered(self._tags(event, part), f"{head}{before}{piece}{after}")
            for part, piece in enumerate(cut)
        ]

    def _batch(self, event: Event, head: str, cut: list[str]) -> list[Rendered]:
        """One text in several lines (draft/multiline)."""
        reference = f"m{event.seq}"
        source = self.source(event.nick)
        batch = f"batch={reference}"
        first, *rest = (f"{head}{piece}" for piece in cut)
        return [
            Rendered(
                self._tags(event), f"{source} BATCH +{reference} draft/multiline {self.channel}"
            ),
            Rendered((batch,), first),
            *(Rendered((batch, "draft/multiline-concat"), piece) for piece in rest),
            Rendered((), f"{source} BATCH -{reference}"),
        ]

    def _happening(self, event: Event) -> Iterator[str]:
        """The texts of an event that is no talk."""
        source = self.source(event.nick, now=event.to)
        match event.kind:
            case "join":
                yield from self.join(event.nick)
            case "leave" if event.by:
                text = event.text or event.by  # as RFC 2812 has it (3.2.8)
                yield f"{self.source(event.by)} KICK {self.channel} {event.nick} :{text}"
            case "leave" if event.part:
                yield self.part(event.nick, event.text)
            case "leave":
                yield f"{source} QUIT :{_farewell(event)}"
            case "rename":
                yield f"{source} NICK {event.to}"
            case "topic":
                yield f"{source} TOPIC {self.channel} :{event.text}"
            case "redaction" if "draft/message-redaction" in self.caps:
                reason = f" :{event.text}" if event.text else ""
                yield f"{source} REDACT {self.channel} {self.message_id(event.of)}{reason}"

    def join(self, nick: str) -> Iterator[str]:
        """How one is told that `nick` comes in."""
        card = self.venue.people.card(nick)
        joins = f"{self.source(nick)} JOIN {self.channel}"
        account = card.account or "*"
        extended = f"{joins} {account} :{card.realname or nick}"
        yield extended if "extended-join" in self.caps else joins
        yield from self._standing(nick, NO_CARD, card)
        if card.away is not None and "away-notify" in self.caps:
            yield f"{self.source(nick)} AWAY :{card.away}"

    def part(self, nick: str, text: str) -> str:
        """How one is told that `nick` goes out."""
        return f"{self.source(nick)} PART {self.channel}" + (f" :{text}" if text else "")

    def _told(self, answer: answers.AnyAnswer) -> Iterator[str]:
        match answer:
            case answers.Presence(announced=announced, member_count=count):
                text = "are announced again" if announced else "are not announced any more"
                yield f":{SERVER} NOTICE {self.channel} :-- {count} here: joins and leaves {text}"
            case answers.Notice(text=text):
                yield f":{SERVER} NOTICE {self.channel} :-- {text}"
            case answers.Changed(nick=nick, was=was, card=card):
                source = self.source(nick)
                if card.away != was.away and "away-notify" in self.caps:
                    yield f"{source} AWAY" if card.away is None else f"{source} AWAY :{card.away}"
                if card.realname != was.realname and "setname" in self.caps:
                    yield f"{source} SETNAME :{card.realname}"
                if card.account != was.account and "account-notify" in self.caps:
                    yield f"{source} ACCOUNT {card.account or '*'}"
                yield from self._standing(nick, was, card)
            case answers.Tagged(nick=nick, tags=tags) if "message-tags" in self.caps:
                yield f"@{tags} {self.source(nick)} TAGMSG {self.channel}"
            case answers.Moderated(on=on, by=by):
                source = f":{SERVER}" if by == ADMINISTRATOR else self.source(by)
                yield f"{source} MODE {self.channel} {'+' if on else '-'}m"
            case answers.Invited() if "invite-notify" in self.caps:
                yield self.invite(answer)

    def _standing(self, nick: str, was: Card, card: Card) -> Iterator[str]:
        operates = card.role is Role.OPERATOR
        if operates is not (was.role is Role.OPERATOR):
            yield f":{SERVER} MODE {self.channel} {'+' if operates else '-'}o {nick}"
        if card.voiced is not was.voiced:
            yield f":{SERVER} MODE {self.channel} {'+' if card.voiced else '-'}v {nick}"

    def invite(self, invited: answers.Invited) -> str:
        """How one is told that somebody is asked in."""
        account = self.venue.people.card(invited.by).account
        tags = f"@{tag('account', account)} " if account and "account-tag" in self.caps else ""
        return f"{tags}{self.source(invited.by)} INVITE {invited.nick} {self.channel}"


#: How clients of a venue with some capabilities are spoken to, by one way in.
FormOf = Callable[["Venue", frozenset[str]], Irc]


@lru_cache(maxsize=64)  # so that clients share it
def form_of(venue: Venue, caps: frozenset[str]) -> Irc:
    """How clients with these capabilities are spoken to."""
    return Irc(venue, caps & EFFECTIVE or NO_CAPS)


def as_bytes(lines: Iterator[Rendered] | list[Rendered]) -> bytes:
    """Lines as they go out."""
    return "".join(
        f"@{';'.join(tags)} {text}\r\n" if tags else f"{text}\r\n" for tags, text in lines
    ).encode()


def _farewell(event: Event) -> str:
    if event.reason == "quit":
        return f"Quit: {event.text}" if event.text else "Quit"
    return f"{event.reason}: {event.text}" if event.text else event.reason
