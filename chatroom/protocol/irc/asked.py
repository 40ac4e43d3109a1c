"""What the room's answers read like in IRC, for each thing that a client asks of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from chatroom.protocol import answers
from chatroom.protocol.irc.isupport import welcome, welcome_text
from chatroom.protocol.irc.names import SERVER, mask
from chatroom.protocol.irc.render import Rendered
from chatroom.protocol.irc.voice import Asked, cannot_say
from chatroom.room.nick import MAX_NICK_CHARS
from chatroom.room.role import Role
from chatroom.settings import IRC_LINE_BYTES

if TYPE_CHECKING:
    from chatroom.protocol.irc.voice import Parts, Voice
    from chatroom.protocol.people import Person
    from chatroom.protocol.roster import Roster
    from chatroom.protocol.session import Venue

#: Pieces of the list of names that one turn gives: some 25 KB.
_PAGE_PIECES = 64

#: What a nick cannot be had for.
_NICK_NUMERICS = {"nick_taken": "433", "nick_invalid": "432", "banned": "437"}

#: Why somebody is not let in at all; the connection ends with it.
_ENTRY_NUMERICS = {"login_needed": "464", "login_failed": "464", "banned": "465"}


class Naming(Asked):
    """NICK."""

    __slots__ = ("wanted",)

    def __init__(self, wanted: str) -> None:
        super().__init__()
        self.wanted = wanted

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        self.over = True
        assert isinstance(answer, answers.Renamed)
        source = voice.form.source(voice.nick, now=answer.nick)
        voice.standing.nick = answer.nick
        return [Rendered((), f"{source} NICK {answer.nick}")]

    def refused(self, voice: Voice, error: answers.Error) -> Iterable[Parts]:
        if self.wanted == voice.nick:  # nothing happens, and nothing is said
            return ()
        number = _NICK_NUMERICS.get(error.code)
        if number is None:
            return super().refused(voice, error)
        return [(number, self.wanted, error.text[0].upper() + error.text[1:])]


class Registering(Naming):
    """NICK and USER, when both are there."""

    __slots__ = ("venue",)

    def __init__(self, venue: Venue, wanted: str) -> None:
        super().__init__(wanted)
        self.venue = venue

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        self.over = True
        assert isinstance(answer, answers.Registered)
        voice.standing.nick = answer.nick
        voice.standing.registered = True
        source = mask(answer.nick, self.venue.people.card(answer.nick))
        if self.label:
            return welcome(self.venue, source, answer.names_held)
        text = welcome_text(self.venue, answer.nick, source, answer.names_held)
        return [Rendered((), text)]

    def refused(self, voice: Voice, error: answers.Error) -> Iterable[Parts]:
        number = _ENTRY_NUMERICS.get(error.code)
        if number is None:
            return super().refused(voice, error)
        return [(number, error.text[0].upper() + error.text[1:])]


class Names(Asked):
    """NAMES, page by page."""

    __slots__ = ("_start",)

    def __init__(self) -> None:
        super().__init__()
        self._start = ""

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        """What the answer says is not looked at: it gives the turn in which the list is read."""
        return self._page(voice)

    def _page(self, voice: Voice) -> list[Parts | Rendered]:
        """353 for a page of members, and 366 behind the last. In the room's turn."""
        channel = voice.form.channel
        head = f":{SERVER} 353 {voice.nick} = {channel} :"
        texts, self._start = _roster(voice, channel).page(self._start, _PAGE_PIECES)
        self.over = not self._start
        lines: list[Parts | Rendered]
        if texts and not self.label:  # no tag goes before any of them
            lines = [Rendered((), head + f"\r\n{head}".join(texts))]
        else:
            lines = [Rendered((), head + text) for text in texts]
        if self.over:
            lines.append(("366", channel, "End of /NAMES list"))
        return lines


def _roster(voice: Voice, channel: str) -> Roster:
    beside = len(f":{SERVER} 353  = {channel} :\r\n".encode()) + 4 * MAX_NICK_CHARS
    written = _WRITTEN["multi-prefix" in voice.caps, "userhost-in-names" in voice.caps]
    return voice.form.venue.people.roster(written, IRC_LINE_BYTES - beside)


def prefix(person: Person) -> str:
    """What stands before its name in the channel: the highest."""
    return all_prefixes(person)[:1]


def all_prefixes(person: Person) -> str:
    """As `prefix`, with multi-prefix."""
    if not person.inside:
        return ""
    return "@" * (person.card.role is Role.OPERATOR) + "+" * person.card.voiced


def name(person: Person) -> str:
    """As lists of names have it."""
    return prefix(person) + person.nick


def full_name(person: Person) -> str:
    """As they have it with userhost-in-names."""
    return prefix(person) + mask(person.nick, person.card)


def prefixed_name(person: Person) -> str:
    """As they have it with multi-prefix."""
    return all_prefixes(person) + person.nick


def prefixed_full_name(person: Person) -> str:
    """As they have it with both."""
    return all_prefixes(person) + mask(person.nick, person.card)


#: By whether multi-prefix, and whether userhost-in-names has been asked for.
_WRITTEN = {
    (False, False): name,
    (False, True): full_name,
    (True, False): prefixed_name,
    (True, True): prefixed_full_name,
}


class Joining(Names):
    """JOIN: the welcome, how far the client has read, and then the names, page by page; the last
    two only where they are wanted.
    """

    __slots__ = ("_mark", "_names", "failed", "seq")

    def __init__(self, *, mark: bool, names: bool) -> None:
        super().__init__()
        self._mark = mark
        self._names = names
        self.seq = 0  #: the last event before it hears the room
        self.failed = False  #: it is not let in

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        if isinstance(answer, answers.Found):
            return super().lines(voice, answer)
        if isinstance(answer, answers.Marked):
            self.over = not self._names
            return [voice.mark(answer)]
        assert isinstance(answer, answers.Welcome)
        self.seq = answer.seq
        self.over = not (self._names or self._mark)
        lines: list[Parts | Rendered] = []
        lines += (Rendered((), text) for text in voice.form.join(voice.nick))
        if answer.topic:
            lines += topic(voice, answer.topic, answer.topic_by or "", answer.topic_time or "")
        if self._names and not self._mark:
            lines += self._page(voice)  # in this turn: one less for each of a crowd that comes
        return lines

    def refused(self, voice: Voice, error: answers.Error) -> Iterable[Parts]:
        self.failed = True
        return [("474", voice.form.channel, f"Cannot join channel: {error.text}")]


class Parting(Asked):
    """PART."""

    __slots__ = ()

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        self.over = True
        assert isinstance(answer, answers.Parted)
        return [Rendered((), voice.form.part(voice.nick, answer.text))]


class Inviting(Asked):
    """INVITE."""

    __slots__ = ("_nick",)

    def __init__(self, nick: str) -> None:
        super().__init__()
        self._nick = nick.partition(" ")[0] or "*"

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        self.over = True
        assert isinstance(answer, answers.Invited)
        return [("341", answer.nick, voice.form.channel)]

    def refused(self, voice: Voice, error: answers.Error) -> Iterable[Parts]:
        match error.code:
            case "unknown_nick":
                return [("401", self._nick, "No such nick")]
            case "nick_inside":
                return [("443", self._nick, voice.form.channel, "is already on channel")]
            case "muted":
                return [("482", voice.form.channel, f"You may not invite: {error.text}")]
        return super().refused(voice, error)


class Talking(Asked):
    """A message or an action: its echo when the room has it and, for those who ask for it, that the
    disk has it.
    """

    __slots__ = ("_command", "_message")

    def __init__(self, command: str) -> None:
        super().__init__()
        self._command = command
        self._message = ""

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        self.over = True
        if isinstance(answer, answers.Said):
            self.lasts = "chatroom/stored" in voice.caps
            self._message = voice.form.message_id(answer.event.seq)
            return voice.form.lines(answer.event) if "echo-message" in voice.caps else ()
        self.lasts, self.label = False, None
        return [("NOTE", self._command, "STORED", self._message, "On the disk")]

    def refused(self, voice: Voice, error: answers.Error) -> Iterable[Parts]:
        if not self._message:
            return [cannot_say(voice, self._command, error)]
        # It is said; it may be that the disk does not have it.
        self.lasts, self.label = False, None
        return [("WARN", self._command, error.code.upper(), self._message, error.text)]


class Signing(Asked):
    """TAGMSG."""

    __slots__ = ()

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        self.over = True
        assert isinstance(answer, answers.Tagged)
        if "echo-message" not in voice.caps:
            return ()
        text = f"{voice.form.source(answer.nick)} TAGMSG {voice.form.channel}"
        return [Rendered((answer.tags,), text)]


def topic(voice: Voice, text: str, by: str, time: str) -> Iterator[Parts]:
    """332, and 333 where it is known whose it is."""
    channel = voice.form.channel
    yield "332", channel, text
    if by and time:
        yield "333", channel, by, str(unix(time))


def unix(time: str) -> int:
    """Seconds, of an event's time."""
    return int(datetime.fromisoformat(time).timestamp())
