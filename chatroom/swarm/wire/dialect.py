"""How a kind of server is spoken to, as far as a swarm needs it. No I/O here.

The two dialects of this project's own server are below; `loadtest` adds those of its peers.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple, Protocol

import msgspec

from chatroom.protocol.answers import Slowed


class Said(NamedTuple):
    """A message as it came from the server."""

    sender: bytes  #: who the server says has sent it; empty where the protocol does not tell
    text: bytes
    seq: int | None = None  #: its number in the room, where the protocol has one


class Dialect(Protocol):
    """What a bot must know about the bytes on its connection. All methods are pure."""

    name: str
    #: Does a talker get its own messages back?
    echoes: bool
    #: Can a connection that listens talk too? If not, talkers are not listeners.
    talkers_listen: bool
    #: Is a talker called by the nick of its greeting in what it has said?
    names_talkers: bool
    #: Is what stands around a text the same in all messages of a talker?
    fixed_frame: bool
    #: Do the records go in the frames of a WebSocket?
    websocket: bool
    #: What to say before leaving; empty where a connection is just closed.
    goodbye: bytes

    def greeting(self, nick: str, *, listens: bool) -> bytes:
        """What to send first, to be in the room; without `listens`, to talk there only."""

    def request(self, nick: str, text: bytes) -> bytes:
        """What to send so that everyone gets `text` (ASCII, no control characters)."""

    def record_end(self, stream: bytes | bytearray, start: int) -> int:
        """Where the record that begins at `start` ends; 0 while it is not complete."""

    def said(self, record: bytes | bytearray) -> Said | None:
        """The message in a record; None if it is something else. Must not raise, whatever it is."""

    def slowed(self, record: bytes | bytearray) -> str:
        """The limit by which a record says that its talker is slowed down, in words; empty if it
        says no such thing. Must not raise.
        """


class Lines:
    """Records that end in LF: what both of the room's formats have in common."""

    echoes = False
    talkers_listen = True
    names_talkers = False
    fixed_frame = True
    websocket = False
    goodbye = b""

    def record_end(self, stream: bytes | bytearray, start: int) -> int:
        return stream.find(b"\n", start) + 1

    def slowed(self, record: bytes | bytearray) -> str:
        return ""


class PlainDialect(Lines):
    """The room's plain lines, as `nc` sees them."""

    name = "plain"
    names_talkers = True
    goodbye = b"/quit\n"

    def greeting(self, nick: str, *, listens: bool) -> bytes:
        return b"/nick %b\n" % nick.encode()

    def request(self, nick: str, text: bytes) -> bytes:
        return text + b"\n"

    def said(self, record: bytes | bytearray) -> Said | None:
        sender, colon, text = bytes(record).partition(b": ")
        # What the server itself says, and actions, begin with a sign that no nick may have.
        if not colon or sender.startswith((b"-", b"*")):
            return None
        return Said(sender, text.rstrip(b"\r\n"))

    def slowed(self, record: bytes | bytearray) -> str:
        return _limit_in(bytes(record[3:]).decode(errors="replace")) if record[:3] == b"-- " else ""


_SLOWED = re.compile(r"you are slowed down(?: to|:) ([ -~]+?)(?:; nothing is lost)?\s*")


def _limit_in(text: str) -> str:
    """See `chatroom.protocol.answers.Slowed.text`."""
    found = _SLOWED.fullmatch(text)
    return found[1] if found else ""


class _Message(msgspec.Struct):
    kind: str = ""
    nick: str = ""
    text: str = ""
    seq: int = 0


_decode = msgspec.json.Decoder(_Message).decode
_decode_slowed = msgspec.json.Decoder(Slowed).decode


class JsonDialect(Lines):
    """The room's JSON Lines, without joins and leaves."""

    name = "json"
    names_talkers = True
    fixed_frame = False  # each has its number and its time
    goodbye = b'{"kind":"quit"}\n'

    def greeting(self, nick: str, *, listens: bool) -> bytes:
        return b"/json %b" % self._hello(nick)

    def _hello(self, nick: str) -> bytes:
        return json.dumps({"nick": nick, "presence": False}).encode() + b"\n"

    def request(self, nick: str, text: bytes) -> bytes:
        return b'{"kind":"message","text":"%b"}\n' % text

    def said(self, record: bytes | bytearray) -> Said | None:
        try:
            message = _decode(record)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        if message.kind != "message":
            return None
        return Said(message.nick.encode(), message.text.encode(), message.seq)

    def slowed(self, record: bytes | bytearray) -> str:
        try:
            return _limit_in(_decode_slowed(record).text)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return ""


class WebSocketDialect(JsonDialect):
    """JSON Lines in the text frames of a WebSocket."""

    name = "ws"
    websocket = True

    def greeting(self, nick: str, *, listens: bool) -> bytes:
        return self._hello(nick)


#: By name; `--format` takes these, and `MIXED`.
DIALECTS: dict[str, type[Dialect]] = {
    "plain": PlainDialect,
    "json": JsonDialect,
    "ws": WebSocketDialect,
}

#: The name for all of them in one room: each process of the swarm speaks another.
MIXED = "mixed"


def dialect_of(name: str, rank: int = 0) -> Dialect:
    """The dialect of that name, for the process of this rank."""
    names = list(DIALECTS)
    return DIALECTS[names[rank % len(names)] if name == MIXED else name]()
