"""The channel: JOIN, PART, NAMES, LIST, INVITE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatroom.protocol.irc.asked import Inviting, Joining, Names, Parting
from chatroom.protocol.irc.caps import NO_NAMES, READ_MARKER
from chatroom.protocol.irc.client import looks
from chatroom.protocol.irc.history import replay
from chatroom.protocol.irc.login import part_text
from chatroom.protocol.irc.names import is_channel, matches
from chatroom.protocol.irc.people import Counting
from chatroom.protocol.requests import Enter, Part, Request

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
    mark = READ_MARKER in client.caps
    joining = Joining(mark=mark, names=NO_NAMES.isdisjoint(client.caps))
    number = client.ask(joining)
    client.drafts += (Enter(number), _look_around(client, joining, number))


def _look_around(client: Client, joining: Joining, number: str) -> Iterator[Draft]:
    """What follows where one was let in: the names, and what was said last."""
    if joining.failed:
        client.joined = False
        return
    if READ_MARKER in client.caps:
        yield Request("mark", to=client.channel, id=number)
    yield from looks(joining, number)
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
    client.multiline = None  # nothing that was begun is said from outside
    client.drafts.append(Part(text, client.ask(Parting())))


def names(client: Client, line: Line) -> None:
    if not line.params or is_channel(line.params[0].split(",")[0], client.venue):
        client.list_names(Names())
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


def invite(client: Client, line: Line) -> None:
    nick, name = line.params[:2]
    if not is_channel(name, client.venue):
        client.say(no_channel(name))
    elif not client.joined:
        client.say(("442", client.channel, "You're not on that channel"))
    else:
        client.drafts.append(Request("invite", nick=nick, id=client.ask(Inviting(nick))))
