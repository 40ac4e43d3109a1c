"""AUTHENTICATE: logging in, before one has a name or after (IRCv3, sasl; RFC 4616, RFC 4422)."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatroom.protocol import answers
from chatroom.protocol.irc.names import mask
from chatroom.protocol.irc.voice import Asked
from chatroom.protocol.requests import Credentials, Hello, Outside

if TYPE_CHECKING:
    from chatroom.protocol.irc.client import Client
    from chatroom.protocol.irc.line import Line
    from chatroom.protocol.irc.render import Rendered
    from chatroom.protocol.irc.voice import Parts, Voice

#: A longer message comes in pieces of this size; the last is shorter, or `+`.
_PIECE_CHARS = 400
#: No name and password is longer.
_MOST_CHARS = 4 * _PIECE_CHARS

_FAILED: Parts = ("904", "SASL authentication failed")


@dataclass(frozen=True, slots=True)
class Begun:
    """A log-in that is begun."""

    mechanism: str
    message: str = ""  #: what has been said so far, in Base64


class LoggingIn(Asked):
    """What comes of credentials."""

    __slots__ = ("_client",)

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        self.over = True
        assert isinstance(answer, answers.LoggedIn)
        if not answer.account:
            return [_FAILED]
        client = self._client
        nick = voice.nick if client.registered else client.wanted or "*"
        who = mask(nick, client.card)
        text = f"You are now logged in as {answer.account}"
        return [("900", who, answer.account, text), ("903", "SASL authentication successful")]

    def refused(self, voice: Voice, error: answers.Error) -> Iterable[Parts]:
        return [("904", f"SASL authentication failed: {error.text}")]


def authenticate(client: Client, line: Line) -> None:
    word = line.params[0]
    if "sasl" not in client.caps:
        client.say(("421", "AUTHENTICATE", "Unknown command"))
    elif word == "*":
        client.sasl = None
        client.say(("906", "SASL authentication aborted"))
    elif client.sasl is not None:
        _go_on(client, client.sasl, word)
    elif word.upper() in client.mechanisms.split(","):
        client.sasl = Begun(word.upper())
        client.say(("AUTHENTICATE", "+"))
    else:
        client.say(("908", client.mechanisms, "are available SASL mechanisms"), _FAILED)


def _go_on(client: Client, begun: Begun, piece: str) -> None:
    client.sasl = None
    message = begun.message + (piece if piece != "+" else "")
    if len(piece) > _PIECE_CHARS or len(message) > _MOST_CHARS:
        client.say(("905", "SASL message too long"))
    elif len(piece) == _PIECE_CHARS:
        client.sasl = Begun(begun.mechanism, message)  # there is more
    else:
        _log_in(client, begun.mechanism, message)


def _log_in(client: Client, mechanism: str, message: str) -> None:
    credentials = _credentials(client, mechanism, message)
    if credentials is None:
        client.say(_FAILED)
    else:
        outside = Outside(client.card, client.ask(LoggingIn(client)), only_log_in=True)
        client.drafts.append(Hello(credentials=credentials, outside=outside))


def _credentials(client: Client, mechanism: str, message: str) -> Credentials | None:
    """What a message says; None if it is none of its mechanism's."""
    try:
        acting_as, *rest = b64decode(message, validate=True).decode().split("\0")
    except (binascii.Error, ValueError):
        return None
    if mechanism == "EXTERNAL":
        return None if rest else Credentials(account=acting_as, certificate=client.certificate)
    if len(rest) != 2 or acting_as not in ("", rest[0]):
        return None
    return Credentials(account=rest[0], password=rest[1])
