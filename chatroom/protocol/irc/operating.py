"""TOPIC, KICK, bans by MODE, REDACT: what operators may do, and the topic that perhaps all may."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_network
from typing import TYPE_CHECKING

from chatroom.protocol import answers
from chatroom.protocol.irc.asked import topic as topic_lines
from chatroom.protocol.irc.asked import unix
from chatroom.protocol.irc.line import fitting, spoken
from chatroom.protocol.irc.names import is_channel
from chatroom.protocol.irc.people import Counting, operator_query
from chatroom.protocol.irc.render import Rendered
from chatroom.protocol.irc.voice import Asked
from chatroom.protocol.requests import Request
from chatroom.room.refused import Refused
from chatroom.room.text import TextRules
from chatroom.settings import MAX_PAGE

if TYPE_CHECKING:
    from chatroom.protocol.irc.client import Client
    from chatroom.protocol.irc.line import Line
    from chatroom.protocol.irc.voice import Parts, Voice

#: What goes before the mask of whom one only wants to be silent (005, EXTBAN).
MUTE = "m:"

#: How IRC writes masks of which only one part says anything.
_ANY = "*"


class Ruling(Asked):
    """Something that changes the room: `done` is what is answered where no event says it, `no` what
    is answered to a refusal that is not for want of rights.
    """

    __slots__ = ("_done", "_no")

    def __init__(
        self,
        no: Callable[[answers.Error], Parts],
        done: Callable[[], Iterable[Parts]] = tuple,
    ) -> None:
        super().__init__()
        self._no = no
        self._done = done

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        self.over = True
        if isinstance(answer, answers.Said):
            return voice.form.lines(answer.event)
        return self._done() if isinstance(answer, answers.Done) else ()

    def refused(self, voice: Voice, error: answers.Error) -> Iterable[Parts]:
        if error.code in ("not_operator", "muted"):
            return [("482", voice.form.channel, f"You're not channel operator: {error.text}")]
        return [self._no(error)]


class Telling(Asked):
    """TOPIC without a text."""

    __slots__ = ()

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        self.over = True
        assert isinstance(answer, answers.Topic)
        if not answer.member_count:
            return [absent(voice.form.channel, 0)]
        if answer.text:
            return topic_lines(voice, answer.text, answer.by, answer.time)
        return [("331", voice.form.channel, "No topic is set")]


class Listing(Asked):
    """The bans; for those who may not see them there are none."""

    __slots__ = ()

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterator[Parts | Rendered]:
        self.over = True
        assert isinstance(answer, answers.Bans)
        for ban in answer.bans:
            yield "367", voice.form.channel, irc_mask(ban.mask), ban.by, str(unix(ban.time))
        yield self._end(voice)

    def refused(self, voice: Voice, error: answers.Error) -> Iterable[Parts]:
        return [self._end(voice)]

    def _end(self, voice: Voice) -> Parts:
        return "368", voice.form.channel, "End of channel ban list"


def topic(client: Client, line: Line) -> None:
    name, *texts = line.params
    if not is_channel(name, client.venue):
        client.say(("403", name.partition(" ")[0] or "*", "No such channel"))
    elif not texts:
        client.drafts.append(Request("which_topic", id=client.ask(Telling())))
    elif _is_in(client):
        text = spoken(texts[0])
        try:
            text = client.rules.check(text) if text else ""
        except Refused as refused:
            client.say(("417", refused.text))
        else:
            ruling = Ruling(lambda error: ("403", client.channel, error.text))
            client.drafts.append(Request("topic", text, id=client.ask(ruling)))


def kick(client: Client, line: Line) -> None:
    name, nicks, *reason = line.params
    if not is_channel(name, client.venue):
        client.say(("403", name.partition(" ")[0] or "*", "No such channel"))
    elif _is_in(client):
        nick = nicks.split(",")[0].partition(" ")[0]
        text = _reason(reason)
        ruling = Ruling(
            lambda _: ("441", nick or "*", client.channel, "They aren't on that channel")
        )
        client.drafts.append(Request("kick", text, nick=nick, id=client.ask(ruling)))


#: What changes who may talk.
MODERATING = {"+m": "moderate", "-m": "unmoderate", "+v": "voice", "-v": "unvoice"}


def moderate(client: Client, change: str, nick: str = "") -> None:
    """MODE +m and -m; +v and -v, with a nick."""
    if change[1] == "v" and not nick:
        client.say(("696", client.channel, "v", "*", "You must give a nick"))
    elif _is_in(client):
        nick = nick.partition(" ")[0]
        absent_ = "441", nick or "*", client.channel, "They aren't on that channel"
        unchanged = "NOTICE", client.channel, "-- it is so already"
        ruling = Ruling(lambda _: absent_ if nick else unchanged)
        kind = MODERATING[change]
        client.drafts.append(Request(kind, nick=nick, id=client.ask(ruling)))


def change_operator(client: Client, nick: str) -> None:
    """MODE +o and -o: who operates has an account that says so."""
    if _is_in(client):
        nick = nick.partition(" ")[0] or "*"
        client.find(operator_query(nick), nick)


def _reason(params: list[str]) -> str:
    return fitting(spoken(params[0]), TextRules.NOTE_BYTES) if params else ""


def bans(client: Client) -> None:
    """MODE with b alone."""
    request = Request("bans", id=client.ask(Listing()), limit=MAX_PAGE)
    client.drafts.append(request)


def ban(client: Client, sign: str, wanted: str) -> None:
    """MODE +b and -b, with a mask."""
    if _is_in(client):
        mask = room_mask(wanted)
        changes = ":", "MODE", client.channel, f"{sign}b", irc_mask(mask)
        ruling = Ruling(
            lambda error: ("696", client.channel, "b", mask, error.text), lambda: [changes]
        )
        number = client.ask(ruling)
        if mask.startswith(MUTE):
            nick = mask.removeprefix(MUTE)
            client.drafts.append(Request("mute" if sign == "+" else "unmute", nick=nick, id=number))
        else:
            kind = "ban" if sign == "+" else "unban"
            client.drafts.append(Request(kind, mask=mask, id=number))


def room_mask(wanted: str) -> str:
    """The room's mask for one of IRC: `nick!*@*` is of a nick, `*!*@192.0.2.7` of an address; what
    has neither is left as it is. Behind `m:` it is of a mute, which only a nick can have.
    """
    nick, bang, rest = wanted.partition("!")
    host = (rest if bang else wanted).rpartition("@")[2]
    if bang and nick.removeprefix(MUTE) != _ANY:
        return nick
    return host if "@" in wanted else wanted


def irc_mask(mask: str) -> str:
    """As IRC writes a mask of the room; one of an account stays as it is."""
    if mask.startswith("account:") or not mask.strip("!*@"):
        return mask
    try:
        ip_network(mask)
    except ValueError:
        return f"{mask}!*@*"
    return f"*!*@{mask}"


def redact(client: Client, line: Line) -> None:
    name, message, *reason = line.params
    session, _, number = message.partition(".")[0].rpartition("-")
    known = (
        number.isascii() and number.isdigit() and len(number) < 19 and client.venue.knows(session)
    )
    shown = message.partition(" ")[0] or "*"
    if "draft/message-redaction" not in client.caps:
        client.say(("421", "REDACT", "Unknown command"))
    elif not is_channel(name, client.venue) or not client.joined:
        client.fail("REDACT", "INVALID_TARGET", name.partition(" ")[0] or "*", "You cannot here")
    elif not known:
        client.fail("REDACT", "UNKNOWN_MSGID", client.channel, shown, "No such message")
    else:
        ruling = Redacting(shown)
        text = _reason(reason)
        client.drafts.append(Request("redact", text, of=int(number), id=client.ask(ruling)))


class Redacting(Ruling):
    """REDACT."""

    __slots__ = ("_message",)

    def __init__(self, message: str) -> None:
        super().__init__(lambda error: ("FAIL", "REDACT", "UNKNOWN_MSGID", message, error.text))
        self._message = message

    def refused(self, voice: Voice, error: answers.Error) -> Iterable[Parts]:
        if error.code != "not_operator":
            return super().refused(voice, error)
        channel = voice.form.channel
        return [("FAIL", "REDACT", "REDACT_FORBIDDEN", channel, self._message, error.text)]


def _is_in(client: Client) -> bool:
    if not client.joined:
        client.count(Counting(lambda found: [absent(client.channel, found.member_count)]))
    return client.joined


def absent(channel: str, member_count: int) -> Parts:
    """What is answered to who is not in the channel: it is not there before somebody is in it (RFC
    1459, 1.3), and LIST does not show it either.
    """
    if member_count:
        return "442", channel, "You're not on that channel"
    return "403", channel, "No such channel"
