"""What operators ask for, and the topic: the room decides, this tells, and the log keeps it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from chatroom.protocol import answers
from chatroom.room.commands import (
    Impose,
    Kick,
    Lift,
    Moderate,
    Mute,
    Outcome,
    Redact,
    Topic,
    Unmute,
    Voice,
)
from chatroom.room.operators import ADMINISTRATOR
from chatroom.room.refused import Refused
from chatroom.settings import MAX_PAGE

if TYPE_CHECKING:
    from chatroom.protocol.requests import Request
    from chatroom.room.commands import Command
    from chatroom.server.connection import Connection
    from chatroom.server.turn.answering import Answering
    from chatroom.server.turn.hall import Hall
    from chatroom.server.turn.ordering import Then

log = logging.getLogger("chatroom.server")


class Operators:
    """Answers requests by kind (`requests`). Synchronous, in a turn."""

    def __init__(self, hall: Hall, answering: Answering) -> None:
        self._room = hall.room
        self._order = hall.order
        self._announcer = hall.announcer
        self._answering = answering
        self._commands: dict[str, Callable[[int | None, Request], Command]] = {
            "topic": lambda who, asked: Topic(who, self._now, asked.text),
            "kick": lambda who, asked: Kick(who, self._now, asked.nick, asked.text),
            "ban": self._impose,
            "unban": lambda who, asked: Lift(who, self._now, asked.mask),
            "mute": lambda who, asked: Mute(who, self._now, asked.nick, self._until(asked)),
            "unmute": lambda who, asked: Unmute(who, self._now, asked.nick),
            "moderate": lambda who, _: Moderate(who, self._now, on=True),
            "unmoderate": lambda who, _: Moderate(who, self._now, on=False),
            "voice": lambda who, asked: Voice(who, self._now, asked.nick, on=True),
            "unvoice": lambda who, asked: Voice(who, self._now, asked.nick, on=False),
            "redact": lambda who, asked: Redact(who, self._now, asked.of, asked.text),
        }
        self.requests: dict[str, Callable[[Connection, Request], None]] = {
            **dict.fromkeys(self._commands, self._do),
            "which_topic": self._tell_topic,
            "bans": self._tell_bans,
        }

    def rule(self, connection: Connection | None, request: Request, then: Then) -> None:
        """Have the room do it and everybody hear of it, then call `then`; without a connection it
        is the administrator of the machine who asks. In a turn.
        """
        who = None if connection is None else connection.who
        by = ADMINISTRATOR if who is None else self._room.nick(who)

        def ruled(outcome: Outcome) -> None:
            if outcome.refused is None:
                self._log(by, request, outcome)
            then(outcome)

        self._order.propose(connection, self._commands[request.kind](who, request), ruled)

    def _do(self, connection: Connection, request: Request) -> None:
        self.rule(connection, request, lambda outcome: self._done(connection, request, outcome))

    def _done(self, connection: Connection, request: Request, outcome: Outcome) -> None:
        refused, event = outcome.refused, outcome.event
        if connection.close_reason is not None:
            return  # it has shown itself out
        if refused is not None:
            answer = answers.Error(refused.code, refused.text, request.id)
            self._announcer.tell(connection, answer)
        elif event is not None and request.id is not None:
            if connection.speaker is not None:
                self._announcer.tell(connection, answers.Said(event, request.id))
            self._announcer.promise_ack(connection, answers.Ack(request.id, event.seq))
        else:
            self._announcer.tell(connection, answers.Done(done_text(request, outcome), request.id))

    def _tell_topic(self, connection: Connection, request: Request) -> None:
        room = self._room
        by, since = room.topic_set
        topic = answers.Topic(room.topic, by, since, len(room), request.id)
        self._announcer.tell(connection, topic)

    def _tell_bans(self, connection: Connection, request: Request) -> None:
        try:
            bans = self._room.bans(connection.who, self._now)
        except Refused as refused:
            answer = answers.Error(refused.code, refused.text, request.id)
            self._announcer.tell(connection, answer)
            return
        limit = MAX_PAGE if request.limit is None else min(request.limit, MAX_PAGE)
        page = [
            answers.Banned(ban.mask, ban.by, ban.time, ban.until, ban.text)
            for ban in bans[request.offset : request.offset + limit]
        ]
        while True:
            more = request.offset + len(page) < len(bans)
            record = connection.render(answers.Bans(page, more, request.id))
            if len(page) <= 1 or len(record) <= self._answering.limit_bytes:
                self._announcer.send(connection, record)
                return
            page = page[: len(page) // 2]

    def _log(self, by: str, request: Request, outcome: Outcome) -> None:
        what = {
            name: value
            for name in ("nick", "mask", "seconds", "of", "text")
            if (value := getattr(request, name))
        }
        if outcome.masks:
            what["also"] = ", ".join(outcome.masks)
        log.info("%s: %s", by, request.kind, extra={"fields": {"operator": by, **what}})

    @property
    def _now(self) -> str:
        return self._announcer.time

    def _until(self, request: Request) -> str:
        if request.seconds is None:
            return ""
        end = datetime.fromisoformat(self._now) + timedelta(seconds=request.seconds)
        return f"{end.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"

    def _impose(self, who: int | None, asked: Request) -> Impose:
        return Impose(who, self._now, asked.mask, self._until(asked), asked.text)


def done_text(request: Request, outcome: Outcome) -> str:
    """What an operator is told who is a person."""
    text = _DONE[request.kind](request) + (f" for {request.seconds} s" if request.seconds else "")
    return f"{text}, and so is {' and '.join(outcome.masks)}" if outcome.masks else text


#: What somebody is told whom it concerns.
_YOU = {
    "mute": "you may not talk",
    "unmute": "you may talk again",
    "voice": "you have voice",
    "unvoice": "you have no voice any more",
}

_DONE: dict[str, Callable[[Request], str]] = {
    "topic": lambda asked: f"the topic is: {asked.text}" if asked.text else "there is no topic now",
    "kick": lambda asked: f"{asked.nick} was shown out",
    "ban": lambda asked: f"{asked.mask} is banned",
    "unban": lambda asked: f"{asked.mask} is not banned any more",
    "mute": lambda asked: f"{asked.nick} may not talk",
    "unmute": lambda asked: f"{asked.nick} may talk again",
    "moderate": lambda _: "only who has voice may talk",
    "unmoderate": lambda _: "everybody may talk",
    "voice": lambda asked: f"{asked.nick} has voice",
    "unvoice": lambda asked: f"{asked.nick} has no voice any more",
    "redact": lambda asked: f"what was said in #{asked.of} is removed",
}
