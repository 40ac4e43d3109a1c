"""MARKREAD: how far one has read, for one's other clients (IRCv3, draft/read-marker)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from chatroom.protocol import answers
from chatroom.protocol.irc.caps import READ_MARKER
from chatroom.protocol.irc.names import is_channel
from chatroom.protocol.irc.voice import Asked
from chatroom.protocol.requests import Request

if TYPE_CHECKING:
    from chatroom.protocol.irc.client import Client
    from chatroom.protocol.irc.line import Line
    from chatroom.protocol.irc.render import Rendered
    from chatroom.protocol.irc.voice import Parts, Voice

_STAMP = re.compile(r"timestamp=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)", re.ASCII)
#: No nick and no channel is longer.
_TARGET_CHARS = 64


class Marking(Asked):
    """What comes of it: the mark as it stands."""

    __slots__ = ()

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        self.over = True
        assert isinstance(answer, answers.Marked)
        return [voice.mark(answer)]


def markread(client: Client, line: Line) -> None:
    target, *stamps = line.params or [""]
    stamp = _STAMP.fullmatch(stamps[0]) if stamps else None
    if READ_MARKER not in client.caps:
        client.say(("421", "MARKREAD", "Unknown command"))
    elif not target:
        client.fail("MARKREAD", "NEED_MORE_PARAMS", "Missing parameters")
    elif " " in target or target.startswith(":") or len(target) > _TARGET_CHARS:
        client.fail("MARKREAD", "INVALID_PARAMS", "*", "Invalid target")
    elif stamps and stamp is None:
        shown = stamps[0].partition(" ")[0] or "*"
        client.fail("MARKREAD", "INVALID_PARAMS", target, shown, "Invalid timestamp")
    else:
        if is_channel(target, client.venue):
            target = client.channel
        text = stamp[1] if stamp else ""
        client.drafts.append(Request("mark", text, to=target, id=client.ask(Marking())))
