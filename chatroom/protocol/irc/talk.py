"""Talk: PRIVMSG, NOTICE, TAGMSG."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from chatroom.protocol.irc.asked import Signing, Talking
from chatroom.protocol.irc.isupport import MAX_TARGETS
from chatroom.protocol.irc.line import tag, without_formatting
from chatroom.protocol.irc.names import is_channel
from chatroom.protocol.irc.people import private_query
from chatroom.protocol.requests import Request, Sign
from chatroom.room.refused import Refused

if TYPE_CHECKING:
    from chatroom.protocol.irc.client import Client
    from chatroom.protocol.irc.line import Line

#: The client-only tags that are passed on, as 005 says: signs of typing.
_SIGNS = frozenset({"+typing", "+draft/typing"})
_TYPING = frozenset({"active", "paused", "done"})

#: With one of these a client is told of what it says itself.
TOLD = frozenset({"echo-message", "chatroom/stored"})

_ACTION = "\x01ACTION"


def privmsg(client: Client, line: Line) -> None:
    if not line.params or not line.params[0]:
        client.say(("411", "No recipient given (PRIVMSG)"))
    elif len(line.params) < 2 or not line.params[1]:
        client.say(("412", "No text to send"))
    else:
        for target in _targets(line)[:MAX_TARGETS]:
            _say_to(client, target, line.params[1])
        for target in _targets(line)[MAX_TARGETS : MAX_TARGETS + 1]:
            client.say(("407", target, "Too many targets"))


def notice(client: Client, line: Line) -> None:
    """As PRIVMSG, but never answered (RFC 1459, 4.4.2): what cannot be said is passed over."""
    if len(line.params) >= 2 and line.params[1]:
        for target in _targets(line)[:MAX_TARGETS]:
            if is_channel(target, client.venue) and client.joined:
                say(client, "NOTICE", line.params[1])


def _targets(line: Line) -> list[str]:
    return [target.split(" ")[0] for target in line.params[0].split(",") if target.strip()]


def _say_to(client: Client, target: str, text: str) -> None:
    name = target.lstrip("@+")
    if not name.startswith("#"):
        client.find(private_query("PRIVMSG", target), target)
    elif not is_channel(name, client.venue):
        client.say(("403", target, "No such channel"))
    elif not client.joined:
        client.say(("404", client.channel, "Cannot send to channel: you are not in it"))
    elif name != target:
        client.say(("404", target, "Cannot send to channel: nobody is apart in this room"))
    else:
        say(client, "PRIVMSG", text)


def say(client: Client, command: str, text: str) -> None:
    """Say something in the room: a PRIVMSG or NOTICE to the channel."""
    kind = "message"
    if text.startswith("\x01"):
        word, _, text = text.removesuffix("\x01").partition(" ")
        kind = "action"
        if word != _ACTION:
            if command == "PRIVMSG":
                client.say(("404", client.channel, "Cannot send to channel: no CTCP but ACTION"))
            return
    try:
        text = client.rules.check(without_formatting(text))
    except Refused as refused:
        if command == "PRIVMSG":
            number = "412" if refused.code == "text_empty" else "417"
            client.say((number, refused.text[0].upper() + refused.text[1:]))
        return
    client.activity.spoke = time.time()
    wanted = TOLD & client.caps
    echo = client.ask(Talking(command)) if wanted or client.label else None
    notice = command == "NOTICE" and kind == "message"
    client.drafts.append(Request(kind, text, id=echo, notice=notice))


def tagmsg(client: Client, line: Line) -> None:
    signs = {key: line.tags[key] for key in _SIGNS & line.tags.keys()}
    if "message-tags" not in client.caps:
        client.say(("421", "TAGMSG", "Unknown command"))
    elif not is_channel(line.params[0], client.venue):
        if line.params[0].startswith("#"):
            client.say(("403", line.params[0], "No such channel"))
        else:
            client.find(private_query("TAGMSG", line.params[0]), line.params[0])
    elif not client.joined:
        client.say(("404", client.channel, "Cannot send to channel: you are not in it"))
    elif signs and all(value in _TYPING for value in signs.values()):
        tags = ";".join(tag(key, value) for key, value in signs.items())
        echo = "echo-message" in client.caps or client.label
        client.drafts.append(Sign(tags, client.ask(Signing()) if echo else None))
