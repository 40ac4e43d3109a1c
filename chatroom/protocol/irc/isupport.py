"""What a client is told when it has registered: the welcome, and what the server supports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from chatroom.protocol.irc.line import compose, fitting
from chatroom.protocol.irc.names import MAX_USER_CHARS, NETWORK, SERVER, VERSION, channel_of
from chatroom.room.nick import MAX_NICK_CHARS
from chatroom.settings import IRC_HISTORY, IRC_LINE_BYTES

if TYPE_CHECKING:
    from chatroom.protocol.irc.voice import Parts
    from chatroom.protocol.session import Venue

#: Characters of an away text and of a real name.
AWAY_CHARS = 200
REALNAME_CHARS = 128
#: Targets that one message may name.
MAX_TARGETS = 4

#: The modes of persons that have an effect; the others are taken quietly, as clients ask for them
#: unasked.
USER_MODES = "B"
QUIET_USER_MODES = "iswx"

_TOKENS_A_LINE = 13


def channel_modes(venue: Venue) -> str:
    """Those that the channel may have: nobody talks from outside, operators alone set the topic or
    have it moderated, and there is a key.
    """
    return "n" + "tm" * venue.accounts + "k" * venue.secret


def isupport(venue: Venue) -> Iterator[Parts]:
    """005."""
    targets = ",".join(f"{name}:{MAX_TARGETS}" for name in ("PRIVMSG", "NOTICE", "TAGMSG"))
    tokens = [
        f"AWAYLEN={AWAY_CHARS}",
        "BOT=B",
        "CASEMAPPING=ascii",
        "CHANLIMIT=#:1",
        f"CHANMODES=b,{'k' * venue.secret},,{channel_modes(venue).rstrip('k')}",
        f"CHANNELLEN={len(channel_of(venue.room).encode())}",
        "CHANTYPES=#",
        f"CHATHISTORY={IRC_HISTORY}",
        "CLIENTTAGDENY=*,-typing,-draft/typing",
        "ELIST=MNU",
        "EXTBAN=,m",
        "HOSTLEN=64",
        f"LINELEN={IRC_LINE_BYTES}",
        "MODES=1",
        "MSGREFTYPES=msgid,timestamp",
        f"NAMELEN={REALNAME_CHARS}",
        f"NETWORK={NETWORK}",
        f"NICKLEN={MAX_NICK_CHARS}",
        "PREFIX=(ov)@+",
        f"TARGMAX={targets},JOIN:,PART:,NAMES:1,LIST:1,WHOIS:1,KICK:1",
        "TOPICLEN=300",
        f"USERLEN={MAX_USER_CHARS + 1}",
        "UTF8ONLY",
        "WHOX",
    ]
    for start in range(0, len(tokens), _TOKENS_A_LINE):
        line = tokens[start : start + _TOKENS_A_LINE]
        yield ("005", *line, "are supported by this server")


def welcome(venue: Venue, source: str, names_held: int) -> Iterator[Parts]:
    """What comes when a client has registered. `source`: its mask."""
    yield "001", f"Welcome to the {NETWORK} network, {source}"
    yield from _what_it_is(venue)
    yield from lusers(names_held)
    yield from motd(venue)


def welcome_text(venue: Venue, nick: str, source: str, names_held: int) -> str:
    """`welcome` in one text, most of which is made once for all: in a storm of newcomers a third of
    the time would be spent on it.
    """
    first = fitting(f":{SERVER} 001 {nick} :Welcome to the {NETWORK} network, {source}")
    return _behind_first(venue).format(first=first, nick=nick, names_held=names_held)


@lru_cache(maxsize=8)
def _behind_first(venue: Venue) -> str:
    lines = (*_what_it_is(venue), *lusers("\1"), *motd(venue))
    composed = (compose(number, "\0", *rest) for number, *rest in lines)
    text = "".join(f"\r\n:{SERVER} {line}" for line in composed)
    text = text.replace("{", "{{").replace("}", "}}")
    return "{first}" + text.replace("\0", "{nick}").replace("\1", "{names_held}")


def _what_it_is(venue: Venue) -> Iterator[Parts]:
    since = datetime.fromtimestamp(venue.since, UTC)
    yield "002", f"Your host is {SERVER}, running version {VERSION}"
    yield "003", f"This server was created {since:%Y-%m-%d %H:%M:%S} UTC"
    with_parameter = "b" + "k" * venue.secret + "o" + "v" * venue.accounts
    modes = "".join(sorted(set(with_parameter + channel_modes(venue))))
    yield "004", SERVER, VERSION, USER_MODES, modes, with_parameter
    yield from isupport(venue)


def lusers(names_held: int | str) -> Iterator[Parts]:
    """251 and its kin: how many there are."""
    yield "251", f"There are {names_held} users and 0 invisible on 1 servers"
    yield "252", "0", "operator(s) online"
    yield "254", "1", "channels formed"
    yield "255", f"I have {names_held} clients and 0 servers"
    yield "265", f"Current local users {names_held}"
    yield "266", f"Current global users {names_held}"


def motd(venue: Venue) -> Iterator[Parts]:
    """The message of the day: where the talk is."""
    yield "375", f"- {SERVER} message of the day -"
    yield "372", f"- The talk is in {channel_of(venue.room)}: /join {channel_of(venue.room)}"
    yield "376", "End of /MOTD command"
