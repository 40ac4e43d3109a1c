"""The commands of IRC that are known here, and what each takes."""

from __future__ import annotations

from collections.abc import Mapping

from chatroom.protocol.irc import (
    asking,
    channel,
    login,
    marking,
    mode,
    multiline,
    operating,
    server,
    talk,
)
from chatroom.protocol.irc.caps import negotiate
from chatroom.protocol.irc.history import chathistory
from chatroom.protocol.irc.sasl import authenticate
from chatroom.protocol.irc.server import Handler

COMMANDS: Mapping[str, Handler] = {
    "ADMIN": server.of_server(server.admin),
    "AUTHENTICATE": authenticate,
    "AWAY": login.away,
    "BATCH": multiline.batch,
    "CAP": negotiate,
    "CHATHISTORY": chathistory,
    "HELP": server.help_,
    "INFO": server.of_server(server.info),
    "INVITE": channel.invite,
    "ISON": asking.ison,
    "JOIN": channel.join,
    "KICK": operating.kick,
    "KILL": server.for_operators,
    "LINKS": server.links,
    "LIST": channel.list_,
    "LUSERS": server.of_server(server.lusers, place=1),
    "MARKREAD": marking.markread,
    "MODE": mode.mode,
    "MOTD": server.of_server(server.motd),
    "NAMES": channel.names,
    "NICK": login.nick,
    "NOTICE": talk.notice,
    "OPER": server.oper,
    "PART": channel.part,
    "PASS": login.pass_,
    "PING": server.ping,
    "PONG": server.pong,
    "PRIVMSG": talk.privmsg,
    "QUIT": login.quit_,
    "REDACT": operating.redact,
    "REHASH": server.for_operators,
    "RESTART": server.for_operators,
    "SETNAME": login.setname,
    "TAGMSG": talk.tagmsg,
    "TIME": server.of_server(server.time_),
    "TOPIC": operating.topic,
    "USER": login.user,
    "USERHOST": asking.userhost,
    "VERSION": server.of_server(server.version),
    "WHO": asking.who,
    "WHOIS": asking.whois,
    "WHOWAS": asking.whowas,
}

#: Those that may come before a client has registered.
EARLY = frozenset({"AUTHENTICATE", "AWAY", "CAP", "NICK", "PASS", "PING", "PONG", "QUIT", "USER"})

#: Parameters that each needs; with fewer it is answered 461.
LEAST: Mapping[str, int] = {
    "AUTHENTICATE": 1,
    "BATCH": 1,
    "CAP": 1,
    "CHATHISTORY": 1,
    "INVITE": 2,
    "ISON": 1,
    "JOIN": 1,
    "KICK": 2,
    "KILL": 1,
    "MODE": 1,
    "OPER": 2,
    "PART": 1,
    "PASS": 1,
    "PING": 1,
    "REDACT": 2,
    "SETNAME": 1,
    "TAGMSG": 1,
    "TOPIC": 1,
    "USER": 4,
    "USERHOST": 1,
}
