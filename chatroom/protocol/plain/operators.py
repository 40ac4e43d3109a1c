"""The commands of operators, and the topic."""

from __future__ import annotations

import re
from collections.abc import Callable

from chatroom.protocol.checking import checked
from chatroom.protocol.requests import Request
from chatroom.room.refused import Refused
from chatroom.room.text import TextRules

_TIME = re.compile(r"(\d{1,4})([smhdw])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def _topic(argument: str, rules: TextRules) -> Request:
    if not argument:
        return Request("which_topic")
    return checked(Request("topic", "" if argument == "-" else argument), rules)


def _kick(argument: str, rules: TextRules) -> Request:
    nick, _, text = argument.partition(" ")
    if not nick:
        raise Refused("bad_request", "say /kick NICK [REASON]")
    return checked(Request("kick", text.strip(), nick=nick), rules)


def _ban(argument: str, rules: TextRules) -> Request:
    mask, _, rest = argument.partition(" ")
    if not mask:
        raise Refused("bad_request", "say /ban NICK|ADDRESS[/BITS]|account:NAME [TIME] [REASON]")
    word, _, text = rest.strip().partition(" ")
    seconds = parse_seconds(word)
    if seconds is None:
        text = rest
    return checked(Request("ban", text.strip(), mask=mask, seconds=seconds), rules)


def _mute(argument: str, rules: TextRules) -> Request:
    nick, _, time = argument.partition(" ")
    seconds = parse_seconds(time.strip())
    if not nick or (time and seconds is None):
        raise Refused("bad_request", "say /mute NICK [TIME], a time as 10m, 2h or 7d")
    return Request("mute", nick=nick, seconds=seconds)


def _delete(argument: str, rules: TextRules) -> Request:
    word, _, text = argument.partition(" ")
    number = word.removeprefix("#")
    if not (number.isascii() and number.isdigit() and len(number) <= 18 and int(number)):
        raise Refused("bad_request", "say /delete SEQ [REASON], SEQ the number of a message")
    return checked(Request("redact", text.strip(), of=int(number)), rules)


def _unban(argument: str, rules: TextRules) -> Request:
    return Request("unban", mask=_word(argument, "say /unban MASK, as /bans shows it"))


def _unmute(argument: str, rules: TextRules) -> Request:
    return Request("unmute", nick=_word(argument, "say /unmute NICK"))


def _voice(argument: str, rules: TextRules) -> Request:
    return Request("voice", nick=_word(argument, "say /voice NICK"))


def _unvoice(argument: str, rules: TextRules) -> Request:
    return Request("unvoice", nick=_word(argument, "say /unvoice NICK"))


def _word(argument: str, usage: str) -> str:
    if not argument or " " in argument:
        raise Refused("bad_request", usage)
    return argument


#: What each word asks for; raises `Refused`.
OPERATOR_COMMANDS: dict[str, Callable[[str, TextRules], Request]] = {
    "/topic": _topic,
    "/kick": _kick,
    "/ban": _ban,
    "/unban": _unban,
    "/bans": lambda argument, rules: Request("bans"),
    "/mute": _mute,
    "/unmute": _unmute,
    "/moderate": lambda argument, rules: Request("moderate"),
    "/unmoderate": lambda argument, rules: Request("unmoderate"),
    "/voice": _voice,
    "/unvoice": _unvoice,
    "/delete": _delete,
}


def parse_seconds(word: str) -> int | None:
    """How long `10m`, `2h` or `7d` is; None for what is no such time."""
    match = _TIME.fullmatch(word)
    return int(match[1]) * _UNIT_SECONDS[match[2]] or None if match else None
