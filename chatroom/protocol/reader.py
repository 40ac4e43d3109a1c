"""One client's bytes, to what it asks for: framing, the first line, the format from there on."""

from __future__ import annotations

from collections.abc import Callable

from chatroom.event import CloseReason
from chatroom.protocol import jsonlines, plain
from chatroom.protocol.framing import LineSplitter, LineTooLong
from chatroom.protocol.requests import (
    BadHello,
    Draft,
    Ending,
    PlainHello,
    Refusal,
    Refused,
    Request,
    is_query,
)
from chatroom.protocol.text import TextRules
from chatroom.settings import MAX_LINE_BYTES

Parse = Callable[[bytes, TextRules], Request | Refusal]


class RequestReader:
    """What a connection's bytes ask for, in order. Sans I/O; what comes out depends only on the
    bytes and on when `enter` was called, never on how the bytes were cut.
    """

    __slots__ = ("_entered", "_parse", "_rules", "_splitter")

    def __init__(self, rules: TextRules) -> None:
        self._rules = rules
        self._splitter = LineSplitter(MAX_LINE_BYTES)
        self._entered = False
        self._parse: Parse | None = None  # until the first line has said which

    @property
    def begun(self) -> bool:
        """The client has said its first line, or `enter` has been called."""
        return self._entered or self._parse is not None

    def enter(self) -> list[Draft]:
        """The client has said nothing in time: it enters as a guest. Its first line may still be
        `/json {…}`.
        """
        self._entered = True
        return [PlainHello()]

    def feed(self, chunk: bytes) -> list[list[Draft]]:
        """Groups of drafts: one group, or several where a query ends a group, because what comes
        after a query waits for its answer.
        """
        groups: list[list[Draft]] = []
        group: list[Draft] = []
        too_long = False
        try:
            lines = self._splitter.feed(chunk)
        except LineTooLong as error:
            lines, too_long = error.lines, True
        for line in lines:
            if not line:
                continue
            if self._parse is None:
                self._first(line, group)
            else:
                group.append(self._parse(line, self._rules))
            if is_query(group[-1]):
                groups.append(group)
                group = []
        if too_long:
            text = f"a line has more than {MAX_LINE_BYTES} bytes and no end"
            group.append(Ending(CloseReason.PROTOCOL_ERROR, text))
        if group:
            groups.append(group)
        return groups

    def _first(self, line: bytes, group: list[Draft]) -> None:
        word, _ = plain.split_command(line[:6].decode("latin-1"))
        if word == "/json":
            self._parse = jsonlines.parse_request
            self._hello(line[6:], group)
            return
        self._parse = plain.parse_line
        request = plain.parse_line(line, self._rules)
        if self._entered or (type(request) is Request and request.kind == "quit"):
            group.append(request)
        elif type(request) is Request and request.kind == "rename":
            group.append(PlainHello(request.to))
        else:
            group += (PlainHello(), request)

    def _hello(self, argument: bytes, group: list[Draft]) -> None:
        try:
            group.append(jsonlines.parse_hello(argument))
        except Refused as refused:
            group.append(BadHello(refused.code, refused.text))
