"""IRC in the frames of a WebSocket, a line in each (ircv3.net/specs/extensions/websocket)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from chatroom.event import CloseReason
from chatroom.protocol import answers
from chatroom.protocol.irc.render import Irc, form_of
from chatroom.protocol.irc.session import IrcSession
from chatroom.protocol.requests import NOTHING, Draft, Ending, Reply, Speaks
from chatroom.protocol.session import Session, Visit, Wait
from chatroom.protocol.silent import Silent
from chatroom.protocol.websocket.frames import (
    BINARY,
    PING,
    PONG,
    TEXT,
    close_frame,
    end_of_frame,
    frame,
)
from chatroom.protocol.websocket.messages import Broken, Closed, Message, MessageReader, Ping
from chatroom.protocol.websocket.render import CLOSE_CODES

if TYPE_CHECKING:
    from chatroom.protocol.session import Venue
    from chatroom.protocol.websocket.messages import Incoming

#: The subprotocols, the better one first.
TEXT_PROTOCOL, BINARY_PROTOCOL = "text.ircv3.net", "binary.ircv3.net"

#: Read so much at a time: some hundreds of the shortest frames, which are some 2 ms.
_SLICE_BYTES = 4096

#: How it is spoken to after its close frame.
_CLOSED = Silent("irc")


@dataclass(frozen=True, slots=True)
class IrcFrames(Irc):
    """Lines of IRC, each in a frame; see `chatroom.protocol.format.Format`."""

    opcode: int = TEXT

    ping = frame(PING, b"")

    def frame(self, records: bytes) -> bytes:
        return b"".join(frame(self.opcode, line) for line in records.split(b"\r\n") if line)

    def bye(self, bye: answers.Bye) -> bytes:
        code = CLOSE_CODES[CloseReason(bye.reason)]
        return Irc.bye(self, bye) + close_frame(code, bye.reason)

    def boundary(self, sent: bytes, offset: int) -> int:
        return end_of_frame(sent, offset)


def _in_frames(opcode: int, venue: Venue, caps: frozenset[str]) -> IrcFrames:
    return IrcFrames(venue, form_of(venue, caps).caps, opcode)


class IrcSocketSession:
    """An IRC client's frames, after the handshake; see `chatroom.protocol.session.Session`."""

    __slots__ = ("_below", "_ended", "_irc", "_raw", "_reader")

    successor: Session | None = None

    def __init__(self, visit: Visit, protocol: str) -> None:
        opcode = BINARY if protocol == BINARY_PROTOCOL else TEXT
        # What a client sends is read in either kind of frame: IRC tells it what is not UTF-8.
        self._reader = MessageReader(binary=True)
        self._irc = IrcSession(visit, partial(_in_frames, opcode))
        self._raw = b""  # not yet read
        self._below: deque[Draft] = deque()  # what is below the lines: pongs, the end
        self._ended = False

    @property
    def wait(self) -> Wait | None:
        return self._irc.wait

    @property
    def pending(self) -> bool:
        return bool(self._below or self._raw) or self._irc.pending

    def feed(self, chunk: bytes) -> None:
        self._raw += chunk

    def expire(self) -> None:
        self._irc.expire()

    def drafts(self) -> Sequence[Draft]:
        if not self._irc.pending and not self._below:
            self._read()
        if self._irc.pending:
            return self._irc.drafts()
        group = list(self._below)
        self._below.clear()
        return group

    def _read(self) -> None:
        piece, self._raw = self._raw[:_SLICE_BYTES], self._raw[_SLICE_BYTES:]
        for incoming in self._reader.feed(piece):
            if not self._ended:
                self._take(incoming)

    def _take(self, incoming: Incoming) -> None:
        match incoming:
            case Message():
                if line := incoming.data.rstrip(b"\r\n"):
                    self._irc.feed(line + b"\n")
                else:
                    self._below.append(NOTHING)
            case Ping():
                self._below.append(Reply(frame(PONG, incoming.data)))
            case Closed():
                self._end(close_frame(incoming.code), Ending(CloseReason.QUIT, ""))
            case Broken():
                ending = Ending(CloseReason.PROTOCOL_ERROR, incoming.text)
                self._end(close_frame(incoming.code, incoming.text), ending)
            case _:
                self._below.append(NOTHING)

    def _end(self, last: bytes, ending: Ending) -> None:
        self._ended = True
        self._below += (Speaks(_CLOSED), Reply(last), ending)
