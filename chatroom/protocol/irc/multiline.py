"""BATCH: one text in several lines, from clients (IRCv3, draft/multiline).

A text of the room has no line breaks: what a client joins with the concat tag is one message, and
each line of its own is a message of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chatroom.protocol.irc.caps import MULTILINE_BYTES, MULTILINE_LINES
from chatroom.protocol.irc.names import is_channel
from chatroom.protocol.irc.talk import say

if TYPE_CHECKING:
    from chatroom.protocol.irc.client import Client
    from chatroom.protocol.irc.line import Line
    from chatroom.protocol.irc.voice import Label

_CONCAT = "draft/multiline-concat"


@dataclass(slots=True)
class Multiline:
    """A batch that a client has begun."""

    reference: str
    label: Label | None
    command: str = ""  #: PRIVMSG or NOTICE, as its first line has it
    lines: int = 0
    size_bytes: int = 0
    texts: list[str] = field(default_factory=list)


def batch(client: Client, line: Line) -> None:
    """BATCH: begins or ends one."""
    word, *rest = line.params
    begun = client.multiline
    if word.startswith("+") and rest[:1] == ["draft/multiline"] and begun is None:
        target = rest[1] if len(rest) > 1 else ""
        if not is_channel(target, client.venue) or not client.joined:
            client.fail("BATCH", "MULTILINE_INVALID_TARGET", target or "*", "No such channel")
        else:
            client.multiline = Multiline(word[1:], client.label)
            client.label = None  # it is the end's
    elif word.startswith("-") and begun is not None and begun.reference == word[1:]:
        client.multiline = None
        _end(client, begun)
    else:
        _fail(client, "No such batch")


def add(client: Client, line: Line) -> None:
    """A PRIVMSG or NOTICE of a batch."""
    begun = client.multiline
    if begun is None or begun.reference != line.tags["batch"]:
        _fail(client, "Not the batch that was begun")
        return
    text = line.params[1] if len(line.params) > 1 else ""
    concat = _CONCAT in line.tags
    begun.lines += 1
    begun.size_bytes += len(text.encode()) + (not concat)
    if begun.command not in ("", line.command) or not is_channel(line.params[0], client.venue):
        _fail(client, "All lines of a batch go the same way")
    elif concat and not (text and begun.texts):
        _fail(client, "Nothing to be joined")
    elif begun.lines > MULTILINE_LINES:
        _fail(client, "Too many lines", "MULTILINE_MAX_LINES", str(MULTILINE_LINES))
    elif begun.size_bytes > MULTILINE_BYTES:
        _fail(client, "Too many bytes", "MULTILINE_MAX_BYTES", str(MULTILINE_BYTES))
    elif concat:
        begun.texts[-1] += text
    else:
        begun.command = line.command
        begun.texts.append(text)


def _end(client: Client, begun: Multiline) -> None:
    client.label = begun.label
    for text in filter(str.strip, begun.texts):
        say(client, begun.command, text)


def _fail(client: Client, text: str, code: str = "MULTILINE_INVALID", *context: str) -> None:
    client.multiline = None
    client.fail("BATCH", code, *context, text)
