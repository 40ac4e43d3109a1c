"""Coming in and going: NICK, USER, PASS, QUIT, and what one says of oneself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatroom.protocol.irc.asked import Naming
from chatroom.protocol.irc.isupport import AWAY_CHARS, REALNAME_CHARS
from chatroom.protocol.irc.line import spoken
from chatroom.protocol.irc.names import user_of
from chatroom.protocol.requests import Credentials, Request

if TYPE_CHECKING:
    from chatroom.protocol.irc.client import Client
    from chatroom.protocol.irc.line import Line

#: Characters of what somebody says when it goes.
_FAREWELL_CHARS = 200


def nick(client: Client, line: Line) -> None:
    wanted = line.params[0] if line.params else ""
    if not wanted:
        client.say(("431", "No nickname given"))
    elif not client.want_nick(wanted):
        pass
    elif not client.registered:
        client.wanted = wanted
        client.register_if_ready()
    elif wanted != client.standing.nick:
        client.drafts.append(Request("rename", to=wanted, id=client.ask(Naming(wanted))))


def user(client: Client, line: Line) -> None:
    if client.registered or client.registering:
        client.say(("462", "You may not reregister"))
    elif not line.params[0] or not line.params[3]:
        client.say(("461", "USER", "Not enough parameters"))
    else:
        realname = spoken(line.params[3])[:REALNAME_CHARS]
        client.change_card(user=user_of(line.params[0]), realname=realname)
        client.register_if_ready()


def pass_(client: Client, line: Line) -> None:
    """The room's secret, or `account:password`. Looked at when the client registers; an open room
    asks for none, and takes any.
    """
    if client.registered or client.registering:
        client.say(("462", "You may not reregister"))
    elif client.venue.accounts:
        account, colon, password = line.params[0].partition(":")
        known = (account, password) if colon else ("", "")
        client.credentials = Credentials(line.params[0], *known)


def quit_(client: Client, line: Line) -> None:
    text = spoken(line.params[0])[:_FAREWELL_CHARS] if line.params else ""
    client.label = None
    client.drafts.append(Request("quit", text))


def away(client: Client, line: Line) -> None:
    if not client.registered and "draft/pre-away" not in client.caps:
        client.say(("451", "You have not registered"))
        return
    text = spoken(line.params[0])[:AWAY_CHARS] if line.params else ""
    client.change_card(away=text or None)
    if client.registered and text:
        client.say(("306", "You have been marked as being away"))
    elif client.registered:
        client.say(("305", "You are no longer marked as being away"))


def setname(client: Client, line: Line) -> None:
    if not line.params[0] or len(line.params[0]) > REALNAME_CHARS:
        client.fail("SETNAME", "INVALID_REALNAME", "Realname is not valid")
        return
    realname = spoken(line.params[0])[:REALNAME_CHARS]
    client.change_card(realname=realname)
    if "setname" in client.caps:
        client.say((":", "SETNAME", realname))


def part_text(line: Line) -> str:
    """What somebody says who goes out of the channel."""
    return spoken(line.params[1])[:_FAREWELL_CHARS] if len(line.params) > 1 else ""
