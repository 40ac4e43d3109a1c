"""How the peers are spoken to by the same swarm that loads this project's own server.

Enough of each protocol to enter a room called `room`, to talk there and to listen; all settings
that cost time and change nothing here (acknowledgements, echoes where they can be turned off) off.
"""

from __future__ import annotations

import re

from chatroom.swarm.wire.dialect import DIALECTS, Dialect, Lines, PlainDialect, Said

ROOM = b"room"


class Bare(PlainDialect):
    """The C servers of `loadtest/reference`: plain lines, and one is in the room at once."""

    name = "bare"
    names_talkers = False
    goodbye = b""  # they would say it

    def greeting(self, nick: str, *, listens: bool) -> bytes:
        return b""


class BareJson(Lines):
    """The null server's JSON: requests and events as the room has them, without a hello."""

    name = "bare-json"
    fixed_frame = False

    def __init__(self) -> None:
        self._json = DIALECTS["json"]()

    def greeting(self, nick: str, *, listens: bool) -> bytes:
        return b""

    def request(self, nick: str, text: bytes) -> bytes:
        return self._json.request(nick, text)

    def said(self, record: bytes | bytearray) -> Said | None:
        return self._json.said(record)


class _Peer:
    """What the peers have in common that are not spoken to in lines."""

    talkers_listen = True
    names_talkers = False
    fixed_frame = True
    websocket = False
    goodbye = b""  # their connections are just closed

    def slowed(self, record: bytes | bytearray) -> str:
        return ""


class Redis(_Peer):
    """Pub/sub in RESP3, in which a connection that listens may publish too."""

    name = "redis"
    echoes = True

    _PUSH = b">3\r\n$7\r\nmessage\r\n$4\r\nroom\r\n$"
    _AGGREGATES = b"*>~%"  # arrays, pushes, sets, maps

    def greeting(self, nick: str, *, listens: bool) -> bytes:
        return b"HELLO 3\r\n" + (b"SUBSCRIBE room\r\n" if listens else b"")

    def request(self, nick: str, text: bytes) -> bytes:
        return b"*3\r\n$7\r\nPUBLISH\r\n$4\r\nroom\r\n$%d\r\n%b\r\n" % (len(text), text)

    def record_end(self, stream: bytes | bytearray, start: int) -> int:
        items, at = 1, start
        while items:
            line_end = stream.find(b"\r\n", at)
            if line_end < 0:
                return 0
            kind, number = stream[at : at + 1], stream[at + 1 : line_end]
            at = line_end + 2
            items -= 1
            if kind == b"$" and int(number) >= 0:  # -1: nothing, not even an end of line
                at += int(number) + 2
            elif kind in self._AGGREGATES:
                items += int(number) * (2 if kind == b"%" else 1)
        return at if at <= len(stream) else 0

    def said(self, record: bytes | bytearray) -> Said | None:
        if not record.startswith(self._PUSH):
            return None
        _, _, text = bytes(record[len(self._PUSH) :]).partition(b"\r\n")
        return Said(b"", text[:-2])


class Nats(_Peer):
    """Core NATS."""

    name = "nats"
    echoes = False

    _HELLO = b'CONNECT {"verbose":false,"pedantic":false,"echo":false,"protocol":1}\r\n'
    _MESSAGE = b"MSG room 1 "

    def greeting(self, nick: str, *, listens: bool) -> bytes:
        return self._HELLO + (b"SUB room 1\r\n" if listens else b"")

    def request(self, nick: str, text: bytes) -> bytes:
        return b"PUB room %d\r\n%b\r\n" % (len(text), text)

    def record_end(self, stream: bytes | bytearray, start: int) -> int:
        end = stream.find(b"\n", start) + 1
        if end and stream.startswith(self._MESSAGE, start):
            end += int(stream[start + len(self._MESSAGE) : end - 2]) + 2
        return end if end <= len(stream) else 0

    def said(self, record: bytes | bytearray) -> Said | None:
        if not record.startswith(self._MESSAGE):
            return None
        return Said(b"", bytes(record).partition(b"\n")[2][:-2])


class Mqtt(_Peer):
    """MQTT 3.1.1, QoS 0, no keep-alive."""

    name = "mosquitto"
    echoes = True

    _TOPIC = len(ROOM).to_bytes(2, "big") + ROOM

    def greeting(self, nick: str, *, listens: bool) -> bytes:
        client = nick.encode()
        hello = b"\0\4MQTT\4\2\0\0" + len(client).to_bytes(2, "big") + client
        connect = b"\x10" + _varint(len(hello)) + hello
        subscribe = b"\0\1" + self._TOPIC + b"\0"
        return connect + (b"\x82" + _varint(len(subscribe)) + subscribe if listens else b"")

    def request(self, nick: str, text: bytes) -> bytes:
        return b"\x30" + _varint(len(self._TOPIC) + len(text)) + self._TOPIC + text

    def record_end(self, stream: bytes | bytearray, start: int) -> int:
        length = 0
        for place, byte in enumerate(stream[start + 1 : start + 5]):
            length |= (byte & 0x7F) << 7 * place
            if not byte & 0x80:
                end = start + 2 + place + length
                return end if end <= len(stream) else 0
        return 0

    def said(self, record: bytes | bytearray) -> Said | None:
        if not record or record[0] >> 4 != 3:
            return None
        _, topic, text = bytes(record).partition(self._TOPIC)
        return Said(b"", text) if topic else None


def _varint(number: int) -> bytes:
    """MQTT's lengths: seven bits a byte, the lowest first."""
    parts = bytearray()
    while True:
        number, part = number >> 7, number & 0x7F
        parts.append(part | (0x80 if number else 0))
        if not number:
            return bytes(parts)


class Irc(Lines):
    """A channel of an IRC server."""

    name = "irc"

    _SAID = re.compile(rb":([^!]+)!\S+ PRIVMSG #room :(.*)\r\n", re.DOTALL)

    def greeting(self, nick: str, *, listens: bool) -> bytes:
        name = nick.replace(".", "-").encode()
        return b"NICK %b\r\nUSER %b 0 * :%b\r\nJOIN #room\r\n" % (name, name[:9], name)

    def request(self, nick: str, text: bytes) -> bytes:
        return b"PRIVMSG #room :%b\r\n" % text

    def said(self, record: bytes | bytearray) -> Said | None:
        match = self._SAID.fullmatch(record)
        return Said(bytes(match[1]), bytes(match[2])) if match else None


#: All that the generator can speak, by name.
ALL_DIALECTS: dict[str, type[Dialect]] = {
    **DIALECTS,
    **{kind.name: kind for kind in (Bare, BareJson, Redis, Nats, Mqtt, Irc)},
}
