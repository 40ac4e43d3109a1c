"""MODE: what the channel is like, its bans, and what a client is like itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatroom.protocol.irc.channel import no_channel
from chatroom.protocol.irc.isupport import QUIET_USER_MODES, USER_MODES, channel_modes
from chatroom.protocol.irc.names import is_channel, same_nick
from chatroom.protocol.irc.operating import MODERATING, ban, bans, change_operator, moderate

if TYPE_CHECKING:
    from chatroom.protocol.irc.client import Client
    from chatroom.protocol.irc.line import Line

#: Modes of a channel that IRC knows: who asks for one of them here is told that it may not.
_KNOWN = frozenset("+-bklimnopqstv")


def mode(client: Client, line: Line) -> None:
    target, *changes = line.params
    if target.startswith("#"):
        _channel_mode(client, target, changes)
    elif not _is_self(client, target):
        client.say(("502", "Can't change mode for other users"))
    elif not changes:
        client.say(("221", "+B" if client.card.bot else "+"))
    else:
        _own_mode(client, changes[0])


def _is_self(client: Client, target: str) -> bool:
    try:
        return same_nick(target, client.standing.nick)
    except ValueError:
        return False


def _channel_mode(client: Client, target: str, changes: list[str]) -> None:
    if not is_channel(target, client.venue):
        client.say(no_channel(target))
    elif not changes:
        _tell(client)
    elif changes[0] in ("b", "+b") and len(changes) == 1:
        bans(client)
    elif changes[0] in ("b", "+b", "-b"):
        ban(client, "-" if changes[0] == "-b" else "+", changes[1])
    elif changes[0] in MODERATING:
        moderate(client, *changes[:2])
    elif changes[0] in ("+o", "-o") and len(changes) > 1:
        change_operator(client, changes[1])
    elif len(changes) == 1 and changes[0][:1] == "+" and set(changes[0][1:]) <= set(_held(client)):
        _tell(client)  # nothing changes, so there is no MODE
    elif not set(changes[0]) <= _KNOWN:
        unknown = next(mode for mode in changes[0] if mode not in _KNOWN)
        client.say(("472", unknown, "is unknown mode char to me"))
    else:
        client.say(("482", client.channel, "You're not channel operator: that is as it is here"))


def _held(client: Client) -> str:
    # The administrator can have a room moderated that has no operators.
    moderated = "m" * client.venue.people.moderated
    return channel_modes(client.venue).replace("m", "") + moderated


def _tell(client: Client) -> None:
    # The key is the server's password, which every client has said to get here.
    key = ("*",) if client.venue.secret else ()
    since = str(int(client.venue.since))
    client.say(("324", client.channel, f"+{_held(client)}", *key), ("329", client.channel, since))


def _own_mode(client: Client, change: str) -> None:
    adding, unknown, bot = True, False, client.card.bot
    for letter in change:
        if letter in "+-":
            adding = letter == "+"
        elif letter in USER_MODES:
            bot = adding
        elif letter not in QUIET_USER_MODES:
            unknown = True
    if unknown:
        client.say(("501", "Unknown MODE flag"))
    if bot != client.card.bot:
        client.change_card(bot=bot)
        client.say((":", "MODE", client.standing.nick, "+B" if bot else "-B"))
