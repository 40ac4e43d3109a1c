"""Requests from lines that a person types."""

from __future__ import annotations

from chatroom.protocol.lines import LineSession
from chatroom.protocol.plain.render import PLAIN
from chatroom.protocol.requests import Draft, Hello, Refusal, Request, Speaks
from chatroom.protocol.session import Visit
from chatroom.room.refused import Refused
from chatroom.room.text import TextRules, make_safe
from chatroom.settings import DEFAULT_HISTORY, MAX_PAGE, MAX_WORD_CHARS


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


_WORDS = frozenset({"/who", "/ping", "/help", "/quit"})


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
    if word == "/search":
        if not argument:
            raise Refused("bad_request", "say /search WORDS; a word may end in *")
        return Request("search", argument, limit=DEFAULT_HISTORY)
    if word in _WORDS:
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
