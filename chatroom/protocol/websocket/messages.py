"""The messages of a WebSocket from its bytes: frames joined, checked, and what ends it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from websockets.frames import Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from chatroom.protocol.websocket.render import INVALID, TOO_BIG, UNSUPPORTED
from chatroom.settings import MAX_FRAGMENTS, MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from websockets.frames import Frame

#: It tells of every connection and every error of a client; what is of interest is logged here.
log = logging.getLogger("chatroom.websocket")
log.setLevel(logging.WARNING)

#: The longest ping may come in the middle of the longest message: the library counts it in.
_MAX_CONTROL_BYTES = 125


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message; a text is UTF-8."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """To be answered with the same data."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Nothing:
    """A frame that says nothing yet, or needs no answer."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The client has closed it; `code` is to be sent back, None if there was none."""

    code: int | None


@dataclass(frozen=True, slots=True)
class Broken:
    """The client does not keep to the protocol: nothing more can be read."""

    code: int  #: to close with
    text: str


Incoming = Message | Ping | Nothing | Closed | Broken

_NOTHING = Nothing()


class MessageReader:
    """Reads frames, and joins fragments. No bytes make it raise; it keeps no more than a message.

    The library (a frame in 3 µs) checks the frames, but neither joins them nor checks that the text
    is UTF-8.
    """

    __slots__ = ("_binary", "_done", "_fragments", "_is_text", "_protocol", "_size_bytes")

    def __init__(self, *, binary: bool = False) -> None:
        """`binary`: binary messages are understood too, with any bytes in them."""
        self._binary = binary
        longest_bytes = MAX_MESSAGE_BYTES + _MAX_CONTROL_BYTES
        self._protocol = ServerProtocol(state=OPEN, max_size=longest_bytes, logger=log)
        self._fragments: list[bytes] = []
        self._size_bytes = 0  # of these
        self._is_text = True
        self._done = False

    def feed(self, chunk: bytes) -> list[Incoming]:
        """What the frames that `chunk` completes come to, in order: one for each. After a `Closed`
        or `Broken`, which is the last, there is nothing more.
        """
        incoming: list[Incoming] = []
        if self._done:
            return incoming
        protocol = self._protocol
        protocol.receive_data(chunk)
        protocol.data_to_send()  # answers come from the session, in the order of the requests
        for frame in protocol.events_received():
            came = self._take(frame)  # type: ignore[arg-type] # the handshake is over: no requests
            incoming.append(came)
            if type(came) is Broken:
                self._done = True
                return incoming
        self._end(incoming)
        return incoming

    def _take(self, frame: Frame) -> Incoming:
        if frame.opcode is Opcode.PING:
            return Ping(bytes(frame.data))
        if frame.opcode is Opcode.PONG or frame.opcode is Opcode.CLOSE:
            return _NOTHING
        if frame.opcode is Opcode.BINARY and not self._binary:
            return Broken(UNSUPPORTED, "a binary frame: only text is understood here")
        if not self._fragments:
            self._is_text = frame.opcode is Opcode.TEXT
        self._fragments.append(bytes(frame.data))
        self._size_bytes += len(frame.data)
        if self._size_bytes > MAX_MESSAGE_BYTES or len(self._fragments) > MAX_FRAGMENTS:
            limits = f"{MAX_MESSAGE_BYTES} bytes or {MAX_FRAGMENTS} fragments"
            return Broken(TOO_BIG, f"a message has more than {limits}")
        return self._join() if frame.fin else _NOTHING

    def _join(self) -> Incoming:
        data = b"".join(self._fragments)
        self._fragments, self._size_bytes = [], 0
        try:
            if self._is_text:
                data.decode()
        except UnicodeDecodeError:
            return Broken(INVALID, "a text message is not UTF-8")
        return Message(data)

    def _end(self, incoming: list[Incoming]) -> None:
        """Add how it has ended, if it has."""
        protocol = self._protocol
        received, sent = protocol.close_rcvd, protocol.close_sent
        if received is not None:
            # Also in the middle of a fragmented message, where the library takes it for an error.
            code = None if received.code == _NO_CODE else int(received.code)
            incoming.append(Closed(code))
        elif sent is not None:
            incoming.append(Broken(int(sent.code), str(protocol.parser_exc)))
        self._done = received is not None or sent is not None


#: How the library says that a close frame had no code (RFC 6455, section 7.1.5).
_NO_CODE = 1005
