"""Requests from lines that a person types."""

from __future__ import annotations

from collections.abc import Callable

from chatroom.protocol.answers import Error
from chatroom.protocol.checking import shortened
from chatroom.protocol.lines import LineSession
from chatroom.protocol.plain.operators import OPERATOR_COMMANDS
from chatroom.protocol.plain.render import PLAIN
from chatroom.protocol.requests import Credentials, Draft, Hello, Refusal, Request, Speaks
from chatroom.protocol.session import Visit
from chatroom.room.refused import Refused
from chatroom.room.text import TextRules
from chatroom.settings import DEFAULT_HISTORY, MAX_PAGE


class PlainSession(LineSession):
    """A person's lines. The first one says under which name it enters, unless it is in already."""

    __slots__ = ("_entered",)

    def __init__(self, visit: Visit, *, entered: bool) -> None:
        super().__init__(visit.rules)
        self._entered = entered

    def take_line(self, line: bytes, group: list[Draft]) -> None:
        request = parse_line(line, self.rules)
        if self._entered:
            group.append(request)
            return
        if type(request) is Request and request.kind == "quit":
            group.append(request)
            return
        self._entered = True
        if type(request) is Request and request.kind == "rename":
            group += (Speaks(PLAIN), Hello(request.to, strict=False))
        elif type(request) is Hello:
            group += (Speaks(PLAIN), request)
        else:
            group += (Speaks(PLAIN), Hello(strict=False), request)


class PlainWay:
    """See `chatroom.protocol.session.WayIn`. Whatever nothing else claims is plain text."""

    name = "plain"
    late = True

    def claims(self, head: bytes) -> bool | None:
        return b"\n" in head or None

    def open(self, visit: Visit, *, entered: bool) -> PlainSession:
        return PlainSession(visit, entered=entered)

    def turn_away(self, refused: Refused) -> bytes:
        return PLAIN.answer(Error(refused.code, refused.text))


def parse_line(line: bytes, rules: TextRules) -> Request | Refusal | Hello:
    """The request of one line that is not empty; of `/login` a hello. Bytes that are not UTF-8
    become U+FFFD.
    """
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


_WORDS = frozenset({"/who", "/ping", "/help", "/quit"})


def _parse_command(text: str, rules: TextRules) -> Request | Hello:
    word, argument = split_command(text)
    if word in OPERATOR_COMMANDS:
        return OPERATOR_COMMANDS[word](argument, rules)
    if word == "/me":
        return Request("action", rules.check(text.partition(" ")[2].strip(" ")))
    if word in _COMMANDS:
        return _COMMANDS[word](argument)
    if word in _WORDS:
        return Request(word[1:])
    if word == "/json" or word.startswith("/json{"):
        raise Refused("bad_request", "/json {…} has to be the first line")
    raise Refused("unknown_kind", f"unknown command {shortened(word)}, /help lists them")


def _rename(argument: str) -> Request:
    if not argument:
        raise Refused("bad_request", "say /nick NAME")
    return Request("rename", to=argument)


def _log_in(argument: str) -> Hello:
    if not argument:
        raise Refused("bad_request", "say /login SECRET or /login NAME PASSWORD")
    account, _, password = argument.partition(" ")
    # Which of the two is meant the room knows: a secret may have spaces.
    credentials = Credentials(argument, account if password else "", password)
    return Hello(strict=False, credentials=credentials)


def _history(argument: str) -> Request:
    return Request("history", limit=_count(argument))


def _search(argument: str) -> Request:
    if not argument:
        raise Refused("bad_request", "say /search WORDS; a word may end in *")
    return Request("search", argument, limit=DEFAULT_HISTORY)


def _count(argument: str) -> int:
    if not argument:
        return DEFAULT_HISTORY
    number = argument.isascii() and argument.isdigit() and len(argument) <= 18
    if not number or not int(argument):
        raise Refused("bad_request", "say /history or /history N, N a number from 1")
    return min(int(argument), MAX_PAGE)


_COMMANDS: dict[str, Callable[[str], Request | Hello]] = {
    "/nick": _rename,
    "/login": _log_in,
    "/history": _history,
    "/search": _search,
}
