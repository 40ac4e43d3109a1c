"""Events and answers from the lines of a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from chatroom.event import EVENT_KINDS, Event, Gap, decode_event
from chatroom.protocol.answers import (
    Ack,
    Bans,
    Bye,
    Done,
    Error,
    Feed,
    Help,
    Members,
    Pong,
    Presence,
    Slowed,
    Welcome,
)

#: A line without an end is given up here. The longest honest one is a page of 1,000 events, each
#: within a datagram: some 1.5 MB; a server may have been told to allow longer texts.
MAX_LINE_BYTES = 16 * 1024 * 1024

_EVENT_START = b'{"seq":'


class BadLine(Exception):
    """The server sent what is no line of the protocol; nothing after it can be trusted."""


class Skipped(msgspec.Struct, frozen=True):
    """An event of a kind that this version does not know; only its number matters."""

    seq: int


class HistoryPage(msgspec.Struct, frozen=True, tag_field="kind", tag="history"):
    """The answer to `history`: events, with a `Gap` in the place of those that are missing."""

    kind: ClassVar[str] = "history"

    events: Sequence[Event | Gap]
    more: bool = False
    id: str | None = None


class _HistoryLine(msgspec.Struct, tag_field="kind", tag="history"):
    events: list[msgspec.Raw]
    more: bool = False
    id: str | None = None


class _Kind(msgspec.Struct):
    kind: str = ""
    seq: int = 0


_Answer = (
    Welcome
    | Feed
    | Ack
    | Members
    | Pong
    | Error
    | Help
    | Presence
    | Slowed
    | Bye
    | Done
    | Bans
    | _HistoryLine
    | Gap
)
Answer = (
    Welcome
    | Feed
    | Ack
    | Members
    | Pong
    | Error
    | Help
    | Presence
    | Slowed
    | Bye
    | Done
    | Bans
    | HistoryPage
)

_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_kind = msgspec.json.Decoder(_Kind).decode
_ANSWER_KINDS = frozenset(
    "welcome feed ack members pong error help presence slowed bye done bans history gap".split()  # noqa: SIM905
)


def parse(line: bytes) -> Event | Gap | Answer | Skipped | None:
    """What one line says; None for a kind that this version does not know.

    Raises `BadLine` if it is not JSON or lacks what its kind must have.
    """
    try:
        if line.startswith(_EVENT_START):
            event = decode_event(line)
            return event if event.kind in EVENT_KINDS else Skipped(event.seq)
        return _finished(_decode_answer(line))
    except msgspec.ValidationError as error:
        return _of_unknown_kind(line, error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadLine(f"not a line of the protocol: {error}") from error


def _of_unknown_kind(line: bytes, error: Exception) -> Event | Skipped | None:
    # Keys may come in any order, and kinds that come later are not ours to judge.
    try:
        known = _decode_kind(line)
        if known.kind in EVENT_KINDS:
            return decode_event(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as worse:
        raise BadLine(f"not a line of the protocol: {worse}") from worse
    if known.kind in _ANSWER_KINDS or not known.kind:
        raise BadLine(f"not a line of the protocol: {error}") from error
    return Skipped(known.seq) if known.seq else None


def _finished(answer: object) -> Gap | Answer:
    if isinstance(answer, _HistoryLine):
        items = [parse(bytes(raw)) for raw in answer.events]
        events = [item for item in items if isinstance(item, Event | Gap)]
        return HistoryPage(events, answer.more, answer.id)
    return answer  # type: ignore[return-value]  # the union less the one above
