"""The client's half of a WebSocket: frames from lines, lines from frames, the handshake."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Opcode
from websockets.http11 import Response
from websockets.protocol import CONNECTING, OPEN
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from chatroom.protocol.jsonlines.parse import MAX_LINE_BYTES, BadLine
from chatroom.settings import MAX_FRAGMENTS

if TYPE_CHECKING:
    from websockets.frames import Frame

SUBPROTOCOL = Subprotocol("chatroom.v1")

#: The library tells of every connection; a program's log is not for that.
_log = logging.getLogger("chatroom.websocket")
_log.setLevel(logging.WARNING)

#: Answers to pings that wait to be sent, at most: a server that asks for more and takes none is no
#: chatroom's, whose pings come seconds apart.
MOST_DUE_BYTES = 64 * 1024

_NO_CODE = 1005  # how the library says that a close frame had no code (RFC 6455, section 7.1.5)


class ClientWebSocket:
    """One connection, sans I/O. What is to be sent is had from `outgoing`."""

    def __init__(self, url: str) -> None:
        """Begin the handshake. Raises `websockets.exceptions.InvalidURI`."""
        self._protocol = ClientProtocol(
            parse_uri(url), subprotocols=[SUBPROTOCOL], max_size=MAX_LINE_BYTES, logger=_log
        )
        self._protocol.send_request(self._protocol.connect())
        self._fragments: list[bytes] = []
        self._outgoing: list[bytes] = []
        self._drain()

    @property
    def handshaking(self) -> bool:
        """Whether the answer to the handshake has yet to come."""
        protocol = self._protocol
        return protocol.state is CONNECTING and protocol.handshake_exc is None

    @property
    def refusal(self) -> str | None:
        """Why there is no WebSocket here, once the handshake is over; None: there is one."""
        error = self._protocol.handshake_exc
        if isinstance(error, InvalidStatus):
            response = error.response
            return f"answers {response.status_code} {response.reason_phrase}".rstrip()
        return None if error is None else f"does not speak WebSocket: {error}"

    @property
    def closed(self) -> bool:
        """Whether no more lines come: the server, or a fault in what it sent, has closed it."""
        protocol = self._protocol
        return protocol.close_rcvd is not None or protocol.close_sent is not None

    @property
    def ending(self) -> str:
        """Why there is nothing more to read."""
        protocol = self._protocol
        if protocol.close_rcvd is not None:
            code, reason = protocol.close_rcvd.code, protocol.close_rcvd.reason
            number = "" if code == _NO_CODE else f" with {int(code)}"
            return f"the server closed the WebSocket{number}" + (f" ({reason})" if reason else "")
        if protocol.close_sent is not None:
            return f"the server broke the WebSocket protocol: {protocol.parser_exc}"
        return "the server went away"

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines of the messages that `chunk` completes. Raises `BadLine` for a binary one, and
        for what would fill the memory.
        """
        self._protocol.receive_data(chunk)
        lines: list[bytes] = []
        for event in self._protocol.events_received():
            if not isinstance(event, Response):
                self._take(event, lines)  # type: ignore[arg-type] # a client gets no requests
        self._drain()
        if sum(map(len, self._outgoing)) > MOST_DUE_BYTES:
            raise BadLine("more pings than can be answered")
        return lines

    def feed_eof(self) -> None:
        """The server's stream has ended."""
        self._protocol.receive_eof()
        self._drain()

    def send(self, lines: bytes) -> None:
        """Put whole lines into a text frame; after the closing they are dropped."""
        if self._protocol.state is OPEN:
            self._protocol.send_text(lines.removesuffix(b"\n"))
            self._drain()

    @property
    def due(self) -> bool:
        """Whether `outgoing` has something."""
        return bool(self._outgoing)

    def outgoing(self) -> bytes:
        """What is to be sent now, once."""
        data, self._outgoing = b"".join(self._outgoing), []
        return data

    def _take(self, frame: Frame, lines: list[bytes]) -> None:
        if frame.opcode is Opcode.BINARY:
            raise BadLine("a binary message: a chatroom sends only text")
        if frame.opcode is not Opcode.TEXT and frame.opcode is not Opcode.CONT:
            return  # the library answers pings and closings
        self._fragments.append(bytes(frame.data))
        if len(self._fragments) > MAX_FRAGMENTS:  # their bytes the library counts
            raise BadLine(f"a message of more than {MAX_FRAGMENTS} fragments")
        if frame.fin:
            message, self._fragments = b"".join(self._fragments), []
            lines += [line for line in message.split(b"\n") if line]

    def _drain(self) -> None:
        # An empty piece would mean to close the sending side: whoever reads this closes both.
        self._outgoing += [data for data in self._protocol.data_to_send() if data]
