"""What one IRC client is answered: numerics with its nick, labels, its own echo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from chatroom.protocol import answers
from chatroom.protocol.irc.line import compose, fitting, tag
from chatroom.protocol.irc.names import SERVER
from chatroom.protocol.irc.render import Rendered, as_bytes

if TYPE_CHECKING:
    from chatroom.protocol.irc.render import Irc

#: A line that a session answers, as parts. A numeric is given the client's nick as its first
#: parameter; a line whose first part is ":" comes from the client itself.
Parts = tuple[str, ...]


#: Why the room does not take what somebody says.
_REFUSED_TALK = frozenset({"muted", "text_empty", "text_too_long", "unavailable"})


class Standing:
    """What the speaker of a client knows, and its session too. The nick is the one that the room
    has given: written in the room's turn only.
    """

    __slots__ = ("asked", "nick", "registered")

    def __init__(self) -> None:
        self.nick = "*"
        self.registered = False
        self.asked: dict[str, Asked] = {}

    def forget(self, number: str) -> None:
        """The request of this number has been answered, if there was one."""
        self.asked.pop(number, None)
        if not self.asked:
            self.asked.clear()  # which gives its table back: 120 bytes of each silent member


class Label:
    """What a client calls one of its lines (labeled-response), until all it asks is answered."""

    __slots__ = ("batch", "text", "waits")

    def __init__(self, text: str) -> None:
        self.text = text
        self.waits = 0  #: how many things are asked under it that are not answered to their end
        self.batch = ""  #: its answers' reference, when they have begun and are several


class Asked:
    """What a client has asked for, and how the room's answer to it reads. What is not over has
    more to be asked of the room.
    """

    __slots__ = ("label", "lasts", "over")

    def __init__(self) -> None:
        self.label: Label | None = None
        self.over = False  #: set with the last answer
        self.lasts = False  #: something may come after it, without a label

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        """The lines of an answer."""
        self.over = True
        return answer.lines if isinstance(answer, answers.Lines) else ()

    def refused(self, voice: Voice, error: answers.Error) -> Iterable[Parts]:
        """The lines of a refusal."""
        return [("NOTICE", "*", f"-- {error.text} ({error.code})")]


def cannot_say(voice: Voice, command: str, error: answers.Error) -> Parts:
    """What is answered to talk that the room refuses: nothing else is asked for without an id. What
    is no answer at all is a notice.
    """
    if error.code == "too_fast":
        return "263", command, f"Please wait a while and try again: {error.text}"
    if error.code in _REFUSED_TALK:
        return "404", voice.form.channel, f"Cannot send to channel: {error.text}"
    return "NOTICE", voice.nick, f"-- {error.text} ({error.code})"


class Voice:
    """How one client is spoken to; see `chatroom.protocol.format.Speaker`."""

    __slots__ = ("caps", "form", "standing")

    def __init__(self, form: Irc, caps: frozenset[str], standing: Standing) -> None:
        self.form = form
        self.caps = caps
        self.standing = standing

    @property
    def nick(self) -> str:
        return self.standing.nick

    def answer(self, answer: answers.AnyAnswer) -> bytes:
        number = str(getattr(answer, "id", ""))
        asked = self.standing.asked.get(number)
        if asked is None:
            return self._unasked(answer)
        if isinstance(answer, answers.Error):
            asked.over = True
            lines: Iterable[Parts | Rendered] = asked.refused(self, answer)
        else:
            lines = asked.lines(self, answer)
        record = self._labelled(asked, number, [self._rendered(line) for line in lines])
        if asked.over and not asked.lasts:
            self.standing.forget(number)
        return record

    def _unasked(self, answer: answers.AnyAnswer) -> bytes:
        lines: Iterable[Parts | Rendered]
        match answer:
            case answers.Lines(lines=lines):
                pass
            case answers.Said(event=event):
                lines = self.form.lines(event)
            case answers.Error():
                lines = [cannot_say(self, "PRIVMSG", answer)]
            case answers.Invited(nick=self.nick):
                lines = [Rendered((), self.form.invite(answer))]
            case answers.Done(text=text) | answers.Slowed(text=text):
                lines = [("NOTICE", self.nick, f"-- {text}")]  # as every client shows it
            case answers.Marked():
                lines = [self.mark(answer)]
            case _:
                return self.form.answer(answer)
        return as_bytes([self._rendered(line) for line in lines])

    def mark(self, marked: answers.Marked) -> Parts:
        """How far the client has read."""
        return "MARKREAD", marked.target, f"timestamp={marked.stamp}" if marked.stamp else "*"

    def _rendered(self, line: Parts | Rendered) -> Rendered:
        if isinstance(line, Rendered):
            return line
        command = line[0]
        if command == ":":
            return Rendered((), fitting(f"{self.form.source(self.nick)} {compose(*line[1:])}"))
        if command.isdigit() or command == "CAP":
            line = (command, self.nick, *line[1:])
        return Rendered((), fitting(f":{SERVER} {compose(*line)}"))

    def _labelled(self, asked: Asked, number: str, lines: Sequence[Rendered]) -> bytes:
        label = asked.label
        if label is None or "labeled-response" not in self.caps:
            return as_bytes(list(lines))
        label.waits -= asked.over
        label_tag = tag("label", label.text)
        if not (label.waits or label.batch):  # this is all
            if not lines:
                return as_bytes([Rendered((label_tag,), f":{SERVER} ACK")])
            if len(lines) == 1 or _is_batch(lines):
                first, *rest = lines
                return as_bytes([Rendered((label_tag, *first.tags), first.text), *rest])
        batched: list[Rendered] = []
        if not label.batch and lines:
            label.batch = f"l{number}"
            start = f":{SERVER} BATCH +{label.batch} labeled-response"
            batched.append(Rendered((label_tag,), start))
        batched += [_in_batch(label.batch, line) for line in lines]
        if not label.waits:
            batched.append(Rendered((), f":{SERVER} BATCH -{label.batch}"))
        return as_bytes(batched)


def _is_batch(lines: Sequence[Rendered]) -> bool:
    """Whether the lines are one batch already."""
    first, *middle, _ = lines
    return first.opens_batch and all(line.is_nested for line in middle)


def _in_batch(reference: str, line: Rendered) -> Rendered:
    if line.is_nested:
        return line
    return Rendered((f"batch={reference}", *line.tags), line.text)
