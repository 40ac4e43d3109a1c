"""Capabilities: what a client may ask for beside plain IRC, and how it does (IRCv3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from chatroom.settings import MAX_LINE_BYTES

if TYPE_CHECKING:
    from chatroom.protocol.irc.client import Client
    from chatroom.protocol.irc.line import Line

#: The lines and bytes of a text that a client may send as one (draft/multiline).
MULTILINE_LINES = 16
MULTILINE_BYTES = MAX_LINE_BYTES

READ_MARKER = "draft/read-marker"
NO_NAMES = frozenset({"no-implicit-names", "draft/no-implicit-names"})

#: All capabilities, with the values that version 302 of the negotiation knows.
OFFERED: Mapping[str, str] = {
    "account-notify": "",
    "account-tag": "",
    "away-notify": "",
    "batch": "",
    "cap-notify": "",
    "chatroom/stored": "",
    "chghost": "",
    "draft/chathistory": "",
    "draft/event-playback": "",
    "draft/message-redaction": "",
    "draft/multiline": f"max-bytes={MULTILINE_BYTES},max-lines={MULTILINE_LINES}",
    "draft/no-implicit-names": "",  # the name that it had before it was ratified
    "draft/pre-away": "",
    READ_MARKER: "",
    "echo-message": "",
    "extended-join": "",
    "invite-notify": "",
    "labeled-response": "",
    "message-tags": "",
    "multi-prefix": "",
    "no-implicit-names": "",
    "server-time": "",
    "setname": "",
    "standard-replies": "",
    "userhost-in-names": "",
}

#: Those that change what all are told: clients that have the same of them are one audience.
EFFECTIVE = frozenset(
    {
        "account-notify",
        "account-tag",
        "away-notify",
        "draft/message-redaction",
        "draft/multiline",
        "extended-join",
        "invite-notify",
        "message-tags",
        "server-time",
        "setname",
    }
)

#: Of who has asked for none. One for all: an empty set is 216 bytes.
NO_CAPS: frozenset[str] = frozenset()

#: The bytes of capabilities on one line of an answer.
_LINE_BYTES = 400


def offered(client: Client) -> Mapping[str, str]:
    """What this client may ask for."""
    return {**OFFERED, "sasl": client.mechanisms} if client.venue.accounts else OFFERED


def _policy(client: Client) -> Mapping[str, str]:
    """What is listed, and cannot be asked for: to come under TLS (IRCv3, sts)."""
    venue = client.venue
    if not venue.sts_seconds:
        return {}
    where = "" if client.encrypted else f"port={venue.port()},"
    return {"sts": f"{where}duration={venue.sts_seconds}"}


def negotiate(client: Client, line: Line) -> None:
    """CAP."""
    word = line.params[0].upper()
    argument = line.params[1] if len(line.params) > 1 else ""
    match word:
        case "LS":
            client.negotiating = client.negotiating or not client.registered
            with_values = argument.isascii() and argument.isdigit() and int(argument[:4]) >= 302
            if with_values:
                client.cap_version = 302
                client.caps |= {"cap-notify"}
            policy = _policy(client) if with_values else {}
            listed = _listed({**offered(client), **policy}, with_values=with_values)
            _list(client, "LS", listed)
        case "LIST":
            _list(client, "LIST", sorted(client.caps))
        case "REQ":
            client.negotiating = client.negotiating or not client.registered
            _request(client, argument)
        case "END":
            client.negotiating = False
            client.register_if_ready()
        case _:
            client.say(("410", line.params[0], "Invalid CAP command"))


def _listed(caps: Mapping[str, str], *, with_values: bool) -> list[str]:
    if not with_values:
        return list(caps)
    return [f"{name}={value}" if value else name for name, value in caps.items()]


def _list(client: Client, word: str, caps: list[str]) -> None:
    lines = list(_in_lines(caps))
    if client.cap_version < 302:  # it does not know of further lines
        lines = [" ".join(caps)]
    for text in lines[:-1]:
        client.say(("CAP", word, "*", text))
    client.say(("CAP", word, lines[-1]))


def _in_lines(caps: list[str]) -> Iterator[str]:
    text = ""
    for cap in caps:
        if text and len(text) + len(cap) >= _LINE_BYTES:
            yield text
            text = ""
        text = f"{text} {cap}" if text else cap
    yield text


def _request(client: Client, argument: str) -> None:
    wanted = argument.split()
    names = {name.removeprefix("-") for name in wanted}
    # Who knows version 302 has cap-notify for good (IRCv3, capability negotiation).
    forbidden = "-cap-notify" in wanted and client.cap_version >= 302
    if forbidden or not names <= offered(client).keys():
        client.say(("CAP", "NAK", argument))
        return
    caps = set(client.caps)
    for name in wanted:
        if name.startswith("-"):
            caps.discard(name[1:])
        else:
            caps.add(name)
    client.say(("CAP", "ACK", argument))
    client.take_caps(frozenset(caps))
