"""Plain text: requests from lines that a person types, lines that a person reads.

Everything the server itself says begins with `-- `; an action with `* `. No nick can begin so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from chatroom.event import Event, Gap
from chatroom.protocol import answers
from chatroom.protocol.requests import Refusal, Refused, Request
from chatroom.protocol.text import TextRules, make_safe
from chatroom.settings import DEFAULT_HISTORY, MAX_PAGE, MAX_WORD_CHARS

HELP = (
    "a line is a message; commands: /nick NAME, /me ACTION, /who, /history [N], /ping, /help,"
    " /quit; //text says /text; /json {…} as the first line switches to JSON Lines"
)

#: Names on one line of an answer to /who.
_NAMES_A_LINE = 16


def parse_line(line: bytes, rules: TextRules) -> Request | Refusal:
    """The request of one line that is not empty. Bytes that are not UTF-8 become U+FFFD."""
    text = line.decode("utf-8", "replace")
    try:
        if not text.startswith("/"):
            return Request("message", rules.check(text))
        if text.startswith("//"):
            return Request("message", rules.check(text[1:]))
        return _parse_command(text, rules)
    except Refused as refused:
        return Refusal(refused.code, refused.text)


def split_command(text: str) -> tuple[str, str]:
    """`/Nick bob ` gives `("/nick", "bob")`."""
    word, _, argument = text.partition(" ")
    return word.lower(), argument.strip()


def _parse_command(text: str, rules: TextRules) -> Request:
    word, argument = split_command(text)
    if word == "/me":
        return Request("action", rules.check(text.partition(" ")[2].strip(" ")))
    if word == "/nick":
        if not argument:
            raise Refused("bad_request", "say /nick NAME")
        return Request("rename", to=argument)
    if word == "/history":
        return Request("history", limit=_count(argument))
    if word in ("/who", "/ping", "/help", "/quit"):
        return Request(word[1:])
    if word == "/json":
        raise Refused("bad_request", "/json {…} has to be the first line")
    shown = make_safe(word if len(word) <= MAX_WORD_CHARS else word[:MAX_WORD_CHARS] + "…")
    raise Refused("unknown_kind", f"unknown command {shown}, /help lists them")


def _count(argument: str) -> int:
    if not argument:
        return DEFAULT_HISTORY
    if not (argument.isascii() and argument.isdigit() and len(argument) <= 18):
        raise Refused("bad_request", "say /history or /history N, N a number")
    return min(int(argument), MAX_PAGE)


class Plain:
    """Renders for `nc` and for people. Stateless."""

    name = "plain"

    @staticmethod
    def event(event: Event) -> bytes:
        kind = event.kind
        if kind == "message":
            return f"{event.nick}: {event.text}\n".encode()
        return f"{_EVENTS[kind](event)}\n".encode()

    @staticmethod
    def notice(text: str) -> bytes:
        """A line that the server itself says to one client."""
        return f"-- {text}\n".encode()

    @staticmethod
    def answer(answer: answers.AnyAnswer) -> bytes:
        return "".join(f"-- {line}\n" for line in _answer_lines(answer)).encode()


_EVENTS: dict[str, Callable[[Event], str]] = {
    "message": lambda event: f"{event.nick}: {event.text}",
    "action": lambda event: f"* {event.nick} {event.text}",
    "join": lambda event: f"-- {event.nick} joined",
    "leave": lambda event: f"-- {event.nick} left ({event.reason})",
    "rename": lambda event: f"-- {event.nick} is now {event.to}",
}


def _answer_lines(answer: answers.AnyAnswer) -> Iterator[str]:
    match answer:
        case answers.Welcome():
            yield (
                f"welcome to {answer.room}, you are {answer.nick}"
                f" ({answer.member_count} here, /help lists the commands)"
            )
        case answers.Error():
            yield f"{answer.text} ({answer.code})"
        case answers.Bye():
            yield f"bye ({answer.reason}): {answer.text}"
        case answers.Members():
            yield from _member_lines(answer)
        case answers.History():
            yield from _history_lines(answer.events)
        case answers.Presence(announced=True):
            yield f"{answer.member_count} here: joins and leaves are announced again"
        case answers.Presence():
            yield f"{answer.member_count} here: joins and leaves are not announced any more"
        case answers.Help():
            yield answer.text
        case answers.Pong():
            yield "pong"
        case answers.Ack():
            yield f"said (#{answer.seq})"


def _member_lines(answer: answers.Members) -> Iterator[str]:
    names = answer.members
    yield f"{answer.member_count} here:"
    for start in range(0, len(names), _NAMES_A_LINE):
        yield "  " + ", ".join(names[start : start + _NAMES_A_LINE])
    if answer.more:
        yield f"  and {answer.member_count - len(names)} more"


def _history_lines(events: Sequence[Event | Gap]) -> Iterator[str]:
    count = sum(type(event) is Event for event in events)
    yield f"the last {count} events:" if events else "nothing has happened yet"
    for event in events:
        if isinstance(event, Gap):
            yield event.text
            continue
        said = _EVENTS[event.kind](event).removeprefix("-- ")
        yield f"{event.time[:10]} {event.time[11:19]} {said}"
