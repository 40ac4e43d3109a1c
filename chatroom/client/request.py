"""One request of a client, from its line to its answer."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from chatroom.client.errors import RoomError
from chatroom.event import Event
from chatroom.protocol.jsonlines.parse import Answer
from chatroom.room.nick import NickInvalid, parse_nick
from chatroom.room.text import make_safe

#: Requests that become events, so that asking them twice would be heard twice.
STATEMENTS = frozenset({"message", "action", "rename"})

#: Requests of operators, and the topic: asked again if the connection breaks before the answer.
OPERATIONS = frozenset(
    {
        *("topic", "kick", "ban", "unban", "mute", "unmute", "redact"),
        *("moderate", "unmoderate", "voice", "unvoice"),
    }
)

#: Of these the answer is an ack where they become events.
ACKED = STATEMENTS | {"topic", "redact"}

#: What a request has beside its kind and its id.
Fields = dict[str, str | int]


@dataclass(slots=True, eq=False)
class PendingRequest:
    """One request. It is answered once, with an answer of the server or an error."""

    id: str
    kind: str
    fields: Fields
    record: bytes
    placed: bool  #: it counts among those that a program may have outstanding
    after: int = 0  #: its event, if it becomes one, has a number above this
    answer: Answer | int | None = None  #: an int is the `seq` of its event
    error: RoomError | None = None
    answered: trio.Event = field(default_factory=trio.Event)
    abandoned: bool = False  #: nobody waits for it any more: it is not sent a second time

    def resolve(self, answer: Answer | int) -> None:
        self.answer = answer
        self.answered.set()

    def fail(self, error: RoomError) -> None:
        self.error = error
        self.answered.set()

    async def result(self) -> Answer | int | None:
        """Wait for the answer. Raises the `RoomError` that it is. Cancelled, nothing changes."""
        await self.answered.wait()
        if self.error is not None:
            raise self.error
        return self.answer

    def may_have_made(self, event: Event, nick: str) -> bool:
        """Whether `event` may be what this request became, `nick` being who asked."""
        if event.kind != self.kind or event.nick != nick or event.seq <= self.after:
            return False
        if self.kind == "rename":
            return event.to == shown_nick(str(self.fields["to"]))
        # Nobody says nothing: an event without a text is one whose text an operator has deleted.
        return event.text in ("", make_safe(str(self.fields["text"])))


def shown_nick(wanted: str) -> str:
    """A nick as the room shows it, which normalises what is asked for."""
    try:
        return parse_nick(wanted)[0]
    except NickInvalid:
        return wanted
