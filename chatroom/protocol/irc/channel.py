"""The channel: JOIN, PART, NAMES, LIST, TOPIC, MODE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatroom.protocol.irc.asked import Joining, Parting
from chatroom.protocol.irc.client import pages
from chatroom.protocol.irc.history import replay
from chatroom.protocol.irc.isupport import CHANNEL_MODES, USER_MODES
from chatroom.protocol.irc.login import part_text
from chatroom.protocol.irc.names import is_channel, matches, same_nick
from chatroom.protocol.irc.operating import ban, bans
from chatroom.protocol.irc.people import Counting, invite_query, names_query
from chatroom.protocol.requests import Enter, Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chatroom.protocol import answers
    from chatroom.protocol.irc.client import Client
    from chatroom.protocol.irc.line import Line
    from chatroom.protocol.irc.voice import Parts
    from chatroom.protocol.requests import Draft


def no_channel(name: str) -> Parts:
    return "403", name.partition(" ")[0] or "*", "No such channel"


def join(client: Client, line: Line) -> None:
    if line.params[0] == "0":
        if client.joined:
            _go_out(client, "")
        return
    for name in filter(None, line.params[0].split(",")):
        if not is_channel(name, client.venue):
            client.say(no_channel(name))
        elif not client.joined:
            _come_in(client)


def _come_in(client: Client) -> None:
    client.joined = True
    wants_names = "draft/no-implicit-names" not in client.caps
    joining = Joining(names=wants_names)
    number = client.ask(joining)
    client.drafts += (Enter(number), _look_around(client, joining, number))


def _look_around(client: Client, joining: Joining, number: str) -> Iterator[Draft]:
    """What follows where one was let in: the names, and what was said last."""
    if joining.failed:
        client.joined = False
        return
    yield from pages(joining, number)
    if client.venue.replay and "draft/chathistory" not in client.caps:
        yield from replay(client, joining)


def part(client: Client, line: Line) -> None:
    for name in filter(None, line.params[0].split(",")):
        if not is_channel(name, client.venue):
            client.say(no_channel(name))
        elif not client.joined:
            client.say(("442", client.channel, "You're not on that channel"))
        else:
            _go_out(client, part_text(line))


def _go_out(client: Client, text: str) -> None:
    client.joined = False
    client.drafts.append(Part(text, client.ask(Parting())))


def names(client: Client, line: Line) -> None:
    if not line.params or is_channel(line.params[0].split(",")[0], client.venue):
        client.find(names_query())
    else:
        client.say(("366", line.params[0].split(",")[0], "End of /NAMES list"))


def list_(client: Client, line: Line) -> None:
    """LIST, with ELIST's M and N (`*by`, `!*by`: names that match, or do not) and U (`>3`, `<3`: by
    the number of members). A room in which nobody is is not listed.
    """
    conditions = line.params[0].split(",") if line.params else []

    def lines(found: answers.Found) -> Iterator[Parts]:
        yield "321", "Channel", "Users  Name"
        count = found.member_count
        if count and _is_listed(client.channel, count, [word for word in conditions if word]):
            yield "322", client.channel, str(count), ""
        yield "323", "End of /LIST"

    client.count(Counting(lines))


def _is_listed(channel: str, count: int, conditions: list[str]) -> bool:
    sizes = [word for word in conditions if word[0] in "<>"]
    names = [word for word in conditions if word[0] not in "<>"]
    if not all(count < _number(w) if w[0] == "<" else count > _number(w) for w in sizes):
        return False
    return not names or any(
        matches(channel, name.removeprefix("!")) is not name.startswith("!") for name in names
    )


def _number(word: str) -> int:
    digits = word[1:9]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def not_operator(client: Client) -> Parts:
    return "482", client.channel, "You're not channel operator"


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
        since = str(int(client.venue.since))
        client.say(("324", client.channel, "+n"), ("329", client.channel, since))
    elif changes[0] in ("b", "+b") and len(changes) == 1:
        bans(client)
    elif changes[0] in ("b", "+b", "-b"):
        ban(client, "-" if changes[0] == "-b" else "+", changes[1])
    elif not set(changes[0]) <= set(f"+-bklmov{CHANNEL_MODES}"):
        unknown = next(mode for mode in changes[0] if mode not in f"+-bklmov{CHANNEL_MODES}")
        client.say(("472", unknown, "is unknown mode char to me"))
    else:
        client.say(not_operator(client))


def _own_mode(client: Client, change: str) -> None:
    adding, unknown, bot = True, False, client.card.bot
    for letter in change:
        if letter in "+-":
            adding = letter == "+"
        elif letter == "B":
            bot = adding
        elif letter not in USER_MODES:
            unknown = True
    if unknown:
        client.say(("501", "Unknown MODE flag"))
    if bot != client.card.bot:
        client.change_card(bot=bot)
        client.say((":", "MODE", client.standing.nick, "+B" if bot else "-B"))


def invite(client: Client, line: Line) -> None:
    nick, name = line.params[:2]
    if not is_channel(name, client.venue):
        client.say(no_channel(name))
    elif not client.joined:
        client.say(("442", client.channel, "You're not on that channel"))
    else:
        client.find(invite_query(nick), nick)
