"""What the server says of itself: PING, MOTD, VERSION and the like."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chatroom.protocol.irc import isupport
from chatroom.protocol.irc.names import NETWORK, SERVER, VERSION, matches
from chatroom.protocol.irc.people import Counting

if TYPE_CHECKING:
    from chatroom.protocol.irc.client import Client
    from chatroom.protocol.irc.line import Line

Handler = Callable[["Client", "Line"], None]

_HELP = (
    "The room is one channel; what is said there, everybody in the room hears,",
    "whichever way they have come in. There are no private messages.",
    "JOIN PART PRIVMSG NICK NAMES WHO WHOIS AWAY LIST TOPIC CHATHISTORY QUIT",
)


def of_server(handler: Handler, *, place: int = 0) -> Handler:
    """A command that may name a server at this place among its parameters: there is this one, which
    its own name means, a pattern of it, or the nick of who asks (modern.ircdocs.horse, "Server
    Queries and Commands"); another is answered 402.
    """

    def handle(client: Client, line: Line) -> None:
        named = line.params[place].partition(" ")[0] if len(line.params) > place else ""
        if named and named != client.standing.nick and not matches(SERVER, named):
            client.say(("402", named, "No such server"))
        else:
            handler(client, line)

    return handle


def ping(client: Client, line: Line) -> None:
    client.say(("PONG", SERVER, line.params[0]))


def pong(client: Client, line: Line) -> None:
    """It is there."""


def motd(client: Client, line: Line) -> None:
    client.say(*isupport.motd(client.venue))


def version(client: Client, line: Line) -> None:
    client.say(("351", VERSION, SERVER, "chatroom"), *isupport.isupport(client.venue))


def time_(client: Client, line: Line) -> None:
    now = datetime.now(UTC)
    stamp, text = str(int(now.timestamp())), f"{now:%A %B %d %Y -- %H:%M:%S} +00:00"
    client.say(("391", SERVER, stamp, "0", text))


def info(client: Client, line: Line) -> None:
    texts = (f"{NETWORK}: one room, and many ways in", f"Version {VERSION}")
    client.say(*(("371", text) for text in texts), ("374", "End of /INFO list"))


def admin(client: Client, line: Line) -> None:
    client.say(
        ("256", SERVER, "Administrative info"),
        ("257", NETWORK),
        ("258", f"The room is {client.channel}"),
        ("259", "Ask in the room"),
    )


def help_(client: Client, line: Line) -> None:
    subject = line.params[0].partition(" ")[0] if line.params else "*"
    if subject != "*" and subject.upper() not in _HELP[-1].split():
        client.say(("524", subject or "*", "No help is available on that"))
        return
    first, *rest, last = _HELP
    middle = (("705", subject, text) for text in rest)
    client.say(("704", subject, first), *middle, ("706", subject, last))


def links(client: Client, line: Line) -> None:
    client.say(("364", SERVER, SERVER, f"0 {NETWORK}"), ("365", "*", "End of /LINKS list"))


def lusers(client: Client, line: Line) -> None:
    client.count(Counting(lambda found: isupport.lusers(found.names_held)))


def oper(client: Client, line: Line) -> None:
    client.say(("491", "Operators are not made here"))


def for_operators(client: Client, line: Line) -> None:
    client.say(("481", "Permission denied: you are no operator of the server"))
