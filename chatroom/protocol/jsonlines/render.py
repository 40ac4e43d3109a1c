"""Lines of JSON from events and answers."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from chatroom.event import PRESENCE_KINDS, Event, Gap
from chatroom.protocol import answers
from chatroom.protocol.format import end_of_line

PROTOCOL_VERSION = 1

#: A rename is told to people; a program learns it from its ack.
_NOT_HERE = (answers.Renamed, answers.Special)

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class JsonLines:
    """One object a line; see `chatroom.protocol.format.Format`."""

    presence: bool = True  #: joins, leaves and renames are wanted

    name = "json"
    of_json = True
    ping = b""

    def event(self, event: Event | Gap, block: bytes) -> bytes:
        if self.presence or event.kind not in PRESENCE_KINDS:
            return block + b"\n"
        return b""

    def answer(self, answer: answers.AnyAnswer) -> bytes:
        if isinstance(answer, _NOT_HERE):
            return b""
        if type(answer) is answers.Done and answer.id is None:
            return b""
        if type(answer) is answers.Presence and not self.presence:
            return b""
        return _encode(answer) + b"\n"

    def frame(self, records: bytes) -> bytes:
        return records

    def bye(self, bye: answers.Bye) -> bytes:
        # Without the code: the error before it has said it.
        return _encode(answers.Bye(bye.reason, bye.text, servers=bye.servers)) + b"\n"

    def boundary(self, sent: bytes, offset: int) -> int:
        return end_of_line(sent, offset)
