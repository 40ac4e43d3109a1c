"""The room's JSON Lines in text frames: a batch is one frame of several lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatroom.event import CloseReason
from chatroom.protocol.jsonlines.render import JsonLines
from chatroom.protocol.websocket.frames import PING, TEXT, close_frame, end_of_frame, frame
from chatroom.settings import FRAME_BYTES

if TYPE_CHECKING:
    from chatroom.protocol import answers

NORMAL, GOING_AWAY, PROTOCOL_ERROR, UNSUPPORTED = 1000, 1001, 1002, 1003
INVALID, POLICY, TOO_BIG, TRY_AGAIN = 1007, 1008, 1009, 1013

#: Close codes by reason. Those from 4000 on are for applications to choose: HTTP's numbers there.
CLOSE_CODES = {
    CloseReason.QUIT: NORMAL,
    CloseReason.LOST: TRY_AGAIN,
    CloseReason.SLOW_READER: 4408,
    CloseReason.IDLE: 4408,
    CloseReason.FLOOD: 4429,
    CloseReason.KICKED: POLICY,
    CloseReason.REPLACED: 4409,
    CloseReason.PROTOCOL_ERROR: POLICY,
    CloseReason.SHUTDOWN: GOING_AWAY,
}


@dataclass(frozen=True, slots=True)
class SocketLines(JsonLines):
    """Lines of JSON in text frames; see `chatroom.protocol.format.Format`."""

    name = "websocket"
    ping = frame(PING, b"")

    def frame(self, records: bytes) -> bytes:
        if len(records) <= FRAME_BYTES:
            return frame(TEXT, records[:-1])
        return _frames(records)

    def bye(self, bye: answers.Bye) -> bytes:
        code = TRY_AGAIN if bye.code == "room_full" else CLOSE_CODES[CloseReason(bye.reason)]
        return farewell(bye, code)

    def boundary(self, sent: bytes, offset: int) -> int:
        return end_of_frame(sent, offset)


def farewell(bye: answers.Bye, code: int) -> bytes:
    """A bye, and the close frame that is the last one."""
    return frame(TEXT, JsonLines().bye(bye)[:-1]) + close_frame(code, bye.reason)


def _frames(records: bytes) -> bytes:
    """Whole lines in frames of at most `FRAME_BYTES`; a longer line is a frame by itself."""
    frames: list[bytes] = []
    start, size_bytes = 0, len(records)
    while start < size_bytes:
        end = records.rfind(b"\n", start, start + FRAME_BYTES)
        if end < 0:
            end = records.index(b"\n", start)
        frames.append(frame(TEXT, records[start:end]))
        start = end + 1
    return b"".join(frames)
