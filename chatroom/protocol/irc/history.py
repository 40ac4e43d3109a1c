"""What was said before: CHATHISTORY, and the lines that a newcomer is given."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING

from chatroom.event import Gap
from chatroom.protocol.irc.line import pieces
from chatroom.protocol.irc.names import SERVER, is_channel
from chatroom.protocol.irc.reading import FEW_PAGES, PLAYED, TALK, Reading, ReadingFailed, Steps
from chatroom.protocol.irc.render import Rendered
from chatroom.settings import IRC_HISTORY, IRC_LINE_BYTES

if TYPE_CHECKING:
    from chatroom.event import Event
    from chatroom.protocol.irc.asked import Joining
    from chatroom.protocol.irc.client import Client
    from chatroom.protocol.irc.line import Line
    from chatroom.protocol.irc.voice import Parts
    from chatroom.protocol.requests import Draft

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_NUMBER = re.compile(r"-(\d{1,18})(?:\.\d+)?$")

#: How many references each subcommand takes between its target and its limit.
_REFERENCES = {"LATEST": 1, "BEFORE": 1, "AFTER": 1, "AROUND": 1, "BETWEEN": 2}

_UNREADABLE = "The history cannot be read now"


class ReferenceInvalid(ValueError):
    """A reference to a message that cannot be resolved: the code and text of the refusal."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def replay(client: Client, joining: Joining) -> Iterator[Draft]:
    """What was said last before the client came in, as notices with their times."""
    reading = Reading(client, ("NOTICE", client.channel, f"-- {_UNREADABLE}"))
    try:
        wanted = client.venue.replay
        events = yield from reading.back(joining.seq + 1, wanted, TALK, pages=FEW_PAGES)
    except ReadingFailed:
        return
    head = f":{SERVER} NOTICE {client.channel} :-- "
    limit_bytes = IRC_LINE_BYTES - 2 - len(head.encode())
    texts = [text for event in events for text in pieces(_in_words(event), limit_bytes)]
    reading.end(client, *(Rendered((), head + text) for text in texts))


def _in_words(event: Event | Gap) -> str:
    if isinstance(event, Gap):
        return event.text
    said = f"* {event.nick} " if event.kind == "action" else f"{event.nick}: "
    return f"{event.time[:10]} {event.time[11:19]} {said}{event.text}"


def chathistory(client: Client, line: Line) -> None:
    """CHATHISTORY (IRCv3, draft/chathistory)."""
    word = line.params[0].upper()
    if word == "TARGETS":
        _targets(client, line.params[1:])
    elif word not in _REFERENCES:
        _fail(client, "INVALID_PARAMS", word, "Unknown command")
    elif len(line.params) < 3 + _REFERENCES[word]:
        _fail(client, "INVALID_PARAMS", word, "Insufficient parameters")
    elif not is_channel(line.params[1], client.venue) or not client.joined:
        _fail(client, "INVALID_TARGET", word, line.params[1], "Messages could not be retrieved")
    else:
        *references, limit = line.params[2 : 3 + _REFERENCES[word]]
        if _limit(limit) is None:
            _fail(client, "INVALID_PARAMS", word, "Invalid limit")
        else:
            failed = ("FAIL", "CHATHISTORY", "MESSAGE_ERROR", word, client.channel, _UNREADABLE)
            kinds = PLAYED if "draft/event-playback" in client.caps else TALK
            search = _Search(client, Reading(client, failed), kinds, _limit(limit) or 0)
            client.drafts.append(_answer(search, word, references))


def _fail(client: Client, code: str, *context: str) -> None:
    client.say(_failure(code, *context))


def _failure(code: str, *context: str) -> Parts:
    words = (word.partition(" ")[0] or "*" for word in context[:-1])
    return "FAIL", "CHATHISTORY", code, *words, context[-1]


def _limit(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return None
    return min(int(text), IRC_HISTORY) or IRC_HISTORY


def _answer(search: _Search, word: str, references: list[str]) -> Iterator[Draft]:
    client, reading = search.client, search.reading
    try:
        events = yield from _SUBCOMMANDS[word](search, references)
    except ReferenceInvalid as error:
        reading.end(client, _failure(error.code, word, client.channel, error.text))
    except ReadingFailed:
        pass
    else:
        lines = [line for event in events for line in client.form.lines(event)]
        reading.end(client, *_batch(client, f"chathistory {client.channel}", lines))


class _Search:
    """One CHATHISTORY: what is wanted, and how it is read."""

    def __init__(self, client: Client, reading: Reading, kinds: frozenset[str], limit: int) -> None:
        self.client = client
        self.reading = reading
        self._kinds = kinds
        self._limit = limit

    def latest(self, references: Sequence[str]) -> Steps:
        above = 0
        if references[0] != "*":
            above = (yield from self._seq(references[0], later=True)) - 1
        return (yield from self.reading.back(None, self._limit, self._kinds, above=above))

    def before(self, references: Sequence[str]) -> Steps:
        seq = yield from self._seq(references[0], later=False)
        return (yield from self.reading.back(seq, self._limit, self._kinds))

    def after(self, references: Sequence[str]) -> Steps:
        seq = yield from self._seq(references[0], later=True)
        return (yield from self.reading.forth(seq - 1, self._limit, self._kinds))

    def around(self, references: Sequence[str]) -> Steps:
        seq = yield from self._seq(references[0], later=False)
        half = self._limit // 2
        before = yield from self.reading.back(seq, half, self._kinds)
        behind = yield from self.reading.forth(seq - 1, self._limit - half, self._kinds)
        return [*before, *behind]

    def between(self, references: Sequence[str]) -> Steps:
        first, second = references
        one = yield from self._seq(first, later=False)
        other = yield from self._seq(second, later=False)
        if one <= other:
            after = (yield from self._seq(first, later=True)) - 1
            steps = self.reading.forth(after, self._limit, self._kinds, below=other)
        else:
            above = (yield from self._seq(second, later=True)) - 1
            steps = self.reading.back(one, self._limit, self._kinds, above=above)
        return (yield from steps)

    def _seq(self, reference: str, *, later: bool) -> Generator[Draft, None, int]:
        """The number of the first event at this place or, with `later`, behind it."""
        kind, _, value = reference.partition("=")
        if kind == "timestamp" and _STAMP.fullmatch(value):
            return (yield from self.reading.first_since(value[:23], later=later))
        if kind == "msgid":
            number = _NUMBER.search(value)
            if number is not None and self.client.venue.knows(value[: number.start()]):
                return int(number[1]) + later
            raise ReferenceInvalid("INVALID_PARAMS", "No such message")
        raise ReferenceInvalid("INVALID_PARAMS", "Invalid reference")


_SUBCOMMANDS = {
    "LATEST": _Search.latest,
    "BEFORE": _Search.before,
    "AFTER": _Search.after,
    "AROUND": _Search.around,
    "BETWEEN": _Search.between,
}


def _batch(client: Client, about: str, lines: Sequence[Rendered]) -> Sequence[Rendered]:
    if "batch" not in client.caps:
        return lines
    reference = client.next_reference()
    return [
        Rendered((), f":{SERVER} BATCH +{reference} {about}"),
        *(
            line if line.is_nested else Rendered((f"batch={reference}", *line.tags), line.text)
            for line in lines
        ),
        Rendered((), f":{SERVER} BATCH -{reference}"),
    ]


def _targets(client: Client, params: list[str]) -> None:
    """Where there has been talk between two times: there is one place."""
    stamps = [param.removeprefix("timestamp=") for param in params[:2]]
    if len(params) < 3 or _limit(params[2]) is None or not all(map(_STAMP.fullmatch, stamps)):
        _fail(client, "INVALID_PARAMS", "TARGETS", "Two timestamps and a limit are needed")
    else:
        failed = ("FAIL", "CHATHISTORY", "MESSAGE_ERROR", "TARGETS", _UNREADABLE)
        reading = Reading(client, failed)
        client.drafts.append(_talked_between(client, reading, *sorted(stamps)))


def _talked_between(client: Client, reading: Reading, start: str, end: str) -> Iterator[Draft]:
    try:
        events = yield from reading.back(None, 1, TALK)
    except ReadingFailed:
        return
    talk = [event for event in events if not isinstance(event, Gap)]
    lines = [
        Rendered((), f":{SERVER} CHATHISTORY TARGETS {client.channel} {event.time[:23]}Z")
        for event in talk
        if client.joined and start[:23] < event.time[:23] < end[:23]
    ]
    reading.end(client, *_batch(client, "draft/chathistory-targets", lines))
