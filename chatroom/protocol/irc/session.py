"""Requests from the lines of an IRC client."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from chatroom.event import CloseReason
from chatroom.protocol.irc import multiline
from chatroom.protocol.irc.client import Client
from chatroom.protocol.irc.commands import COMMANDS, EARLY, LEAST
from chatroom.protocol.irc.line import LineTooLong, NotUtf8, parse_line
from chatroom.protocol.irc.render import FormOf, form_of
from chatroom.protocol.irc.talk import TOLD
from chatroom.protocol.irc.voice import Label
from chatroom.protocol.lines import LineSession
from chatroom.protocol.requests import NOTHING, Draft, Ending, Request, is_query, weight_of
from chatroom.protocol.session import Session, Visit, Wait, first_line
from chatroom.room.refused import Refused
from chatroom.settings import (
    GROUP_WEIGHT,
    IRC_LINE_BYTES,
    MAX_LINE_BYTES,
    REGISTER_SECONDS,
    RENAME_WEIGHT,
)

if TYPE_CHECKING:
    from chatroom.protocol.irc.line import Line

#: What an IRC client begins with, in upper case as they all write it: a person's line that looks
#: like one would have to be meant to.
_FIRST = re.compile(rb"(?:CAP [A-Z]|NICK \S|PASS \S|USER \S+ \S+ \S+ \S)")
_FIRST_WORDS = (b"CAP ", b"NICK ", b"PASS ", b"USER ")


class IrcWay:
    """See `chatroom.protocol.session.WayIn`."""

    name = "irc"
    late = False

    def claims(self, head: bytes) -> bool | None:
        line = first_line(head)
        if line is not None:
            return _FIRST.match(line) is not None
        return None if any(head.startswith(w[: len(head)]) for w in _FIRST_WORDS) else False

    def open(self, visit: Visit, *, entered: bool) -> IrcSession:
        return IrcSession(visit)

    def turn_away(self, refused: Refused) -> bytes:
        return f"ERROR :Closing link: ({refused.code}) {refused.text}\r\n".encode()


@lru_cache  # so that sessions share it
def _talk_to(channel: str) -> bytes:
    """How a line of talk begins."""
    return f"PRIVMSG {channel} :".encode()


class IrcSession(LineSession):
    """An IRC client's lines; see `chatroom.protocol.session.Session`."""

    __slots__ = ("_client", "_talks", "wait")

    successor: Session | None = None

    def __init__(self, visit: Visit, speaking: FormOf = form_of) -> None:
        super().__init__(visit.rules)
        self._client = Client(visit, speaking)
        self._talks = _talk_to(self._client.channel)
        self.wait: Wait | None = Wait(REGISTER_SECONDS)

    @property
    def pending(self) -> bool:
        client = self._client
        return bool(client.drafts) or client.registering or super().pending

    def expire(self) -> None:
        self.wait = None
        text = f"not registered within {REGISTER_SECONDS:g} seconds"
        self._client.drafts.append(Ending(CloseReason.IDLE, text))

    def drafts(self) -> Sequence[Draft]:
        client = self._client
        if client.registering:  # the room has answered
            client.registering = False
            if client.registered:
                self.wait = None
            else:
                client.wanted = ""
        group: list[Draft] = []
        weight = 0
        self.count_empty(group)
        while weight < GROUP_WEIGHT:
            draft = client.next_draft() if client.drafts else None
            if draft is not None:
                group.append(draft)
                weight += weight_of(draft)
                if is_query(draft):
                    break
            elif self._lines:
                line = self._lines.pop()
                talk = self._talk(line)
                if talk is not None:
                    group.append(talk)
                    weight += 1
                else:
                    self._take(line)
                    # A name that is not ASCII takes its time to prepare.
                    has_spoken = bool(client.drafts) and type(client.drafts[-1]) is Request
                    weight += 1 if has_spoken or line.isascii() else RENAME_WEIGHT
            elif self._too_long:
                self._give_up_on_too_long()
            else:
                break
        return group

    def _talk(self, data: bytes) -> Request | None:
        """The message of a line that says nothing but text to the channel, of a client that is told
        nothing of it: what IRC clients say most, in a fifth of the time.
        """
        client = self._client
        if not (data.startswith(self._talks) and client.joined and client.caps.isdisjoint(TOLD)):
            return None
        if len(data) > IRC_LINE_BYTES - 2:
            return None
        try:
            text = data[len(self._talks) :].decode()
            if not text.isprintable():  # as formatting and all that is to be taken out
                return None
            talk = Request("message", self.rules.check(text))
        except (UnicodeDecodeError, Refused):
            return None
        client.activity.spoke = time.time()
        return talk

    def _give_up_on_too_long(self) -> None:
        self._too_long = False
        text = f"a line has more than {MAX_LINE_BYTES} bytes and no end"
        self._client.drafts.append(Ending(CloseReason.PROTOCOL_ERROR, text))

    def _take(self, data: bytes) -> None:
        client = self._client
        gathered = False
        try:
            line = parse_line(data)
        except LineTooLong:
            client.say(("417", "Input line was too long"))
        except NotUtf8 as error:
            client.label = self._label(error.label)
            client.fail(error.command or "*", "INVALID_UTF8", "Only UTF-8 is understood here")
        else:
            if line is not None:
                gathered = self._obey(line)
        client.label = None
        if not client.drafts and not gathered:
            client.drafts.append(NOTHING)

    def _obey(self, line: Line) -> bool:
        """Do what it asks for; whether it is a part of a message, which is counted as a whole."""
        client = self._client
        client.label = self._label(line.label)
        handler = COMMANDS.get(line.command)
        if not client.registered and line.command not in EARLY:
            client.say(("451", "You have not registered"))
        elif handler is None:
            client.say(("421", line.command, "Unknown command"))
        elif len(line.params) < LEAST.get(line.command, 0):
            client.say(("461", line.command, "Not enough parameters"))
        elif "batch" in line.tags and line.command in ("PRIVMSG", "NOTICE") and line.params:
            multiline.add(client, line)
            return True
        else:
            handler(client, line)
        if client.label is not None and not client.label.waits:  # nothing was to be said
            client.say()
        return False

    def _label(self, text: str) -> Label | None:
        return Label(text) if text and "labeled-response" in self._client.caps else None
