"""Questions about people: WHO, WHOIS, WHOWAS, ISON, USERHOST."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatroom.protocol.irc.names import is_channel
from chatroom.protocol.irc.people import (
    ison_query,
    userhost_query,
    who_query,
    whois_query,
    whowas_query,
)
from chatroom.room.nick import NickInvalid, parse_nick

if TYPE_CHECKING:
    from chatroom.protocol.irc.client import Client
    from chatroom.protocol.irc.line import Line

#: Nicks that one USERHOST names.
_USERHOST_NICKS = 5


def who(client: Client, line: Line) -> None:
    mask = line.params[0].split(" ")[0] if line.params else "*"
    fields = line.params[1] if len(line.params) > 1 else ""
    query = who_query(mask or "*", fields[1:] if fields.startswith("%") else "")
    if mask.startswith("#") and not is_channel(mask, client.venue):
        client.say(("315", mask, "End of WHO list"))
    elif _is_nick(mask):
        client.find(query, mask)
    else:
        client.find(query)


def whois(client: Client, line: Line) -> None:
    wanted = line.params[-1] if line.params else ""
    nick = wanted.split(",")[0].split(" ")[0]
    if not nick:
        client.say(("431", "No nickname given"))
    elif not _is_nick(nick):
        client.say(("401", nick, "No such nick"), ("318", nick, "End of /WHOIS list"))
    else:
        client.find(whois_query(nick), nick)


def whowas(client: Client, line: Line) -> None:
    nick = line.params[0].split(",")[0].split(" ")[0] if line.params else ""
    if not nick:
        client.say(("431", "No nickname given"))
    else:
        client.find(whowas_query(nick, _count(line.params[1:])), nick)


def _count(params: list[str]) -> int:
    word = params[0] if params else ""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else 0


def ison(client: Client, line: Line) -> None:
    client.find(ison_query(), _nicks(line))


def userhost(client: Client, line: Line) -> None:
    client.find(userhost_query(), " ".join(_nicks(line).split()[:_USERHOST_NICKS]))


def _nicks(line: Line) -> str:
    return " ".join(line.params) or "*"


def _is_nick(word: str) -> bool:
    try:
        parse_nick(word)
    except NickInvalid:
        return False
    return True
