"""Requests from the text frames of a WebSocket."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from chatroom.event import CloseReason
from chatroom.protocol import answers
from chatroom.protocol.jsonlines.session import HELLO_WORD, hello_drafts, parse_request
from chatroom.protocol.requests import (
    NOTHING,
    Draft,
    Ending,
    Hello,
    Reply,
    Speaks,
    is_query,
    weight_of,
)
from chatroom.protocol.session import Session, Visit, Wait
from chatroom.protocol.silent import Silent
from chatroom.protocol.websocket.frames import PONG, close_frame, frame
from chatroom.protocol.websocket.messages import (
    Broken,
    Closed,
    Incoming,
    Message,
    MessageReader,
    Ping,
)
from chatroom.protocol.websocket.render import TOO_BIG, SocketLines, farewell
from chatroom.settings import ENTER_SECONDS, GROUP_WEIGHT, MAX_LINE_BYTES

if TYPE_CHECKING:
    from chatroom.room.text import TextRules

#: Read so much at a time: some hundreds of the shortest frames, which are some 2 ms.
_SLICE_BYTES = 4096

#: How it is spoken to after its close frame.
_CLOSED = Silent(SocketLines.name)


class _Kind(msgspec.Struct):
    kind: object = None


_decode_kind = msgspec.json.Decoder(_Kind).decode


class WebSocketSession:
    """A program's frames, after the handshake; see `chatroom.protocol.session.Session`.

    The first line may be the hello. Without one the client is let in as a guest, soon or with its
    first request; its hello may come later, as its first line.
    """

    __slots__ = (
        "_ended",
        "_entered",
        "_greeted",
        "_raw",
        "_reader",
        "_rules",
        "_said",
        "wait",
    )

    successor: Session | None = None

    def __init__(self, rules: TextRules) -> None:
        self._rules = rules
        self._reader = MessageReader()
        self._raw = b""  # not yet read
        self._said: deque[bytes | Draft] = deque()  # lines and what is below them, in order
        self._greeted = False  # it has said its first line
        self._entered = False
        self._ended = False
        self.wait: Wait | None = Wait(ENTER_SECONDS)

    @classmethod
    def open(cls, visit: Visit) -> tuple[Speaks, WebSocketSession]:
        """How the client is spoken to from here on, and its session."""
        return Speaks(SocketLines()), cls(visit.rules)

    @property
    def pending(self) -> bool:
        return bool(self._said)

    def feed(self, chunk: bytes) -> None:
        self._raw += chunk
        self._read()

    def expire(self) -> None:
        self._said.append(self._enter())

    def drafts(self) -> Sequence[Draft]:
        group: list[Draft] = []
        weight = 0
        while self._said and weight < GROUP_WEIGHT:
            said = self._said.popleft()
            if isinstance(said, bytes):
                self._take_line(said, group)
            else:
                group.append(said)
            weight += weight_of(group[-1])
            if not self._said:
                self._read()
            if is_query(group[-1]):
                break
        return _merged(group)

    def _read(self) -> None:
        """Read on until there is something to tell of."""
        while self._raw and not self._said:
            piece, self._raw = self._raw[:_SLICE_BYTES], self._raw[_SLICE_BYTES:]
            for incoming in self._reader.feed(piece):
                if not self._ended:
                    self._take(incoming)

    def _take(self, incoming: Incoming) -> None:
        match incoming:
            case Message():
                self._split(incoming.data)
            case Ping():
                self._said.append(Reply(frame(PONG, incoming.data)))
            case Closed():
                self._end(close_frame(incoming.code), Ending(CloseReason.QUIT, ""))
            case Broken():
                self._break_off(incoming)
            case _:
                self._said.append(NOTHING)

    def _split(self, message: bytes) -> None:
        lines = [line for line in message.replace(b"\r\n", b"\n").split(b"\n") if line]
        for line in lines:
            if len(line) > MAX_LINE_BYTES:
                text = f"a line has more than {MAX_LINE_BYTES} bytes"
                self._break_off(Broken(TOO_BIG, text))
                return
            self._said.append(line)
        if not lines:
            self._said.append(NOTHING)

    def _break_off(self, broken: Broken) -> None:
        bye = answers.Bye(CloseReason.PROTOCOL_ERROR, broken.text)
        ending = Ending(CloseReason.PROTOCOL_ERROR, broken.text)
        self._end(farewell(bye, broken.code), ending)

    def _end(self, last: bytes, ending: Ending) -> None:
        # It says its last word itself, and hears nothing after it: the code is the protocol's,
        # which the room knows nothing of.
        self._ended = True
        self._said += (Speaks(_CLOSED), Reply(last), ending)

    def _take_line(self, line: bytes, group: list[Draft]) -> None:
        if not self._greeted:
            self._greeted = True
            hello = self._hello_in(line)
            if hello is not None:
                self._enter()
                group += hello_drafts(hello, SocketLines)
                return
        if not self._entered:
            group.append(self._enter())
        group.append(parse_request(line, self._rules))

    def _hello_in(self, line: bytes) -> bytes | None:
        """The hello, if the first line is one: it has no kind. What cannot be read at all is taken
        for one too, and refused as such, unless the client is in the room already.
        """
        if line[: len(HELLO_WORD)].lower() == HELLO_WORD:
            return line[len(HELLO_WORD) :]
        try:
            kind = _decode_kind(line).kind
        except (msgspec.DecodeError, RecursionError):
            return None if self._entered else line
        return line if kind is None else None

    def _enter(self) -> Hello:
        """From here on it is in the room; the hello of who has none."""
        self._entered = True
        self.wait = None
        return Hello(strict=False)


def _merged(group: list[Draft]) -> list[Draft]:
    """The group with the replies that follow each other as one: one send for many pongs."""
    merged: list[Draft] = []
    for draft in group:
        if type(draft) is Reply and merged and type(last := merged[-1]) is Reply:
            merged[-1] = Reply(last.data + draft.data, last.count + draft.count)
        else:
            merged.append(draft)
    return merged
