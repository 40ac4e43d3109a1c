"""Plain text: lines that a person reads, in a terminal that nothing in them moves.

Everything the server itself says begins with `-- `; an action with `* `. No nick can begin so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from chatroom.event import Event, Gap
from chatroom.protocol import answers
from chatroom.protocol.format import end_of_line
from chatroom.room.visible import visible

HELP = (
    "a line is a message; commands: /nick NAME, /me ACTION, /who, /history [N], /search WORDS,"
    " /topic [TEXT], /login SECRET or NAME PASSWORD, /ping, /help, /quit; //text says /text;"
    " /json {…} as the first line switches to JSON Lines"
)

#: What operators are told besides.
OPERATOR_HELP = (
    "for operators: /kick NICK [REASON], /ban NICK|ADDRESS[/BITS]|account:NAME [10m|2h|7d]"
    " [REASON], /unban MASK, /bans, /mute NICK [TIME], /unmute NICK, /moderate, /unmoderate,"
    " /voice NICK, /unvoice NICK, /delete SEQ [REASON]"
)

#: Stands where a text was redacted.
REMOVED = "(removed)"

#: The longest lines take 0.2 ms each, if they have what a terminal can't be shown.
_LINES_A_PIECE = 16

#: Names on one line of an answer to /who.
_NAMES_A_LINE = 16


@dataclass(frozen=True, slots=True)
class Plain:
    """Lines for `nc` and for people; see `chatroom.protocol.format.Format`."""

    name = "plain"
    of_json = False
    ping = b""

    def event(self, event: Event | Gap, block: bytes) -> bytes:
        if event.kind == "message":
            return f"{event.nick}: {_shown(event.text or REMOVED)}\n".encode()
        if isinstance(event, Gap):
            return f"-- {event.text}\n".encode()
        return f"{_shown(_EVENTS[event.kind](event))}\n".encode()

    def answer(self, answer: answers.AnyAnswer) -> bytes:
        return _lines(_answer_lines(answer))

    def pieces(self, answer: answers.AnyAnswer) -> Iterator[bytes]:
        """The record of an answer in pieces, each of which is made in a few ms at most."""
        lines = _answer_lines(answer)
        while some := [*islice(lines, _LINES_A_PIECE)]:
            yield _lines(some)

    def frame(self, records: bytes) -> bytes:
        return records

    def bye(self, bye: answers.Bye) -> bytes:
        return self.answer(bye)

    def boundary(self, sent: bytes, offset: int) -> int:
        return end_of_line(sent, offset)


def _lines(texts: Iterable[str]) -> bytes:
    return "".join([f"-- {_shown(text)}\n" for text in texts]).encode()


def _shown(text: str) -> str:
    # Of ASCII a room has only what is safe. A TAB stays one: people paste tables.
    return text if text.isascii() else visible(text, tab="\t")


#: Plain text has no variants.
PLAIN = Plain()


_EVENTS: dict[str, Callable[[Event], str]] = {
    "message": lambda event: f"{event.nick}: {event.text or REMOVED}",
    "action": lambda event: f"* {event.nick} {event.text or REMOVED}",
    "join": lambda event: f"-- {event.nick} joined",
    "leave": lambda event: f"-- {event.nick} left ({_reason(event)})",
    "rename": lambda event: f"-- {event.nick} is now {event.to}",
    "topic": lambda event: (
        f"-- {event.nick} set the topic: {event.text}"
        if event.text
        else f"-- {event.nick} removed the topic"
    ),
    "redaction": lambda event: (
        f"-- {event.nick} removed what was said in #{event.of}"
        + (f": {event.text}" if event.text else "")
    ),
}


def _reason(event: Event) -> str:
    by = f" by {event.by}" if event.by else ""
    text = f": {event.text}" if event.text else ""
    return f"{event.reason}{by}{text}"


def _answer_lines(answer: answers.AnyAnswer) -> Iterator[str]:
    match answer:
        case answers.Welcome():
            yield (
                f"welcome to {answer.room}, you are {answer.nick}"
                f" ({answer.member_count} here, /help lists the commands)"
            )
            if answer.topic:
                yield f"topic: {answer.topic}"
        case answers.Members():
            yield from _member_lines(answer)
        case answers.History():
            yield from _history_lines(answer.events)
        case answers.Bans():
            yield from _ban_lines(answer)
        case _:
            line = _answer_line(answer)
            if line:  # some answers are not for plain text
                yield line


def _answer_line(answer: answers.AnyAnswer) -> str:
    line = ""
    match answer:
        case answers.Error():
            line = f"{answer.text} ({answer.code})"
        case answers.Bye():
            line = f"bye ({answer.reason}): {answer.text}"
        case answers.Presence():
            which = "again" if answer.announced else "any more"
            are = "are" if answer.announced else "are not"
            line = f"{answer.member_count} here: joins and leaves {are} announced {which}"
        case answers.Help() | answers.Done() | answers.Slowed() | answers.Notice():
            line = answer.text
        case answers.Topic():
            line = f"topic: {answer.text}" if answer.text else "there is no topic"
        case answers.Pong():
            line = "pong"
        case answers.Ack():
            line = f"said (#{answer.seq})"
        case answers.Moderated(on=on, by=by):
            line = f"{by} says: {'only who has voice may talk' if on else 'everybody may talk'}"
        case answers.Renamed():
            line = f"you are now {answer.nick}"
    return line


def _member_lines(answer: answers.Members) -> Iterator[str]:
    names = answer.members
    yield f"{answer.member_count} here:"
    for start in range(0, len(names), _NAMES_A_LINE):
        yield "  " + ", ".join(names[start : start + _NAMES_A_LINE])
    if answer.more:
        yield f"  and {answer.member_count - len(names)} more"


def _ban_lines(answer: answers.Bans) -> Iterator[str]:
    yield "the bans:" if answer.bans else "nobody is banned"
    for ban in answer.bans:
        until = f" until {ban.until}" if ban.until else ""
        text = f": {ban.text}" if ban.text else ""
        yield f"  {ban.mask}{until}, by {ban.by}{text}"
    if answer.more:
        yield "  and more"


def _history_lines(events: Sequence[Event | Gap]) -> Iterator[str]:
    count = sum(type(event) is Event for event in events)
    yield f"the last {count} events:" if events else "nothing has happened yet"
    for event in events:
        if isinstance(event, Gap):
            yield event.text
            continue
        said = _EVENTS[event.kind](event).removeprefix("-- ")
        yield f"{event.time[:10]} {event.time[11:19]} {said}"
