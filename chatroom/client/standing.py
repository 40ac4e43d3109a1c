"""What a client wants of a room, and what is true of it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from chatroom.client.gap import Gap
from chatroom.protocol.answers import Welcome
from chatroom.settings import DEFAULT_HOST, DEFAULT_PORT


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """The arguments of `connect`; see there."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    nick: str | None = None
    resume: bool = False
    reconnect: bool = True
    give_up_seconds: float | None = None
    after: int | None = None
    session: str | None = None
    presence: bool = True
    echo: bool = False
    receive: bool = True
    inbox_limit_bytes: int = 8 * 1024 * 1024
    heartbeat_seconds: float = 15.0


class Connected(msgspec.Struct, frozen=True):
    """The room is there, for the first time or again."""

    kind: ClassVar[str] = "connected"

    welcome: Welcome
    again: bool  #: there was a connection before
    missed: int  #: events since then that the server no longer has
    behind: int  #: events between, told after this
    new_log: bool  #: the server began a new session: numbers from before mean nothing now


class Disconnected(msgspec.Struct, frozen=True):
    """The connection broke, or a try to come back failed; the next one comes by itself."""

    kind: ClassVar[str] = "disconnected"

    reason: str  #: a word: the `bye`'s reason, `lost`, or the code of the error of the try
    text: str  #: a sentence for a person
    tries: int  #: tries to come back so far
    retry_seconds: float  #: until the next one


class Standing:
    """Where a client stands: what it needs to come back as the same one, missing nothing."""

    def __init__(self, wishes: Wishes) -> None:
        self.nick = wishes.nick or ""
        self.nick_chosen = wishes.nick is not None
        self.token: str | None = None
        self.session = wishes.session
        #: The newest number known to be here: an event's, an ack's, or the welcome's.
        self.after = wishes.after or 0
        self.welcome: Welcome | None = None
        self._wishes = wishes

    def hello(self, lowest_unconfirmed: int | None) -> dict[str, object]:
        """The object behind `/json`; resuming begins where a statement without ack may stand."""
        wishes = self._wishes
        hello: dict[str, object] = {"presence": wishes.presence, "echo": wishes.echo}
        if self.nick_chosen:
            hello["nick"] = self.nick
        if self.token is not None:
            hello["token"] = self.token
        resuming = wishes.after is not None if self.welcome is None else wishes.resume
        if resuming:
            lowest = self.after if lowest_unconfirmed is None else lowest_unconfirmed
            hello["after"] = min(self.after, lowest)
            if self.session is not None:
                hello["session"] = self.session
        return hello

    def welcomed(self, welcome: Welcome, asked_after: int | None) -> tuple[Connected, Gap | None]:
        """Take in a welcome to a hello that asked for what came `asked_after`.

        Returns what to tell the reader: the connection, and the hole that nothing else will tell.
        """
        again = self.welcome is not None
        same_log = self.session in (None, welcome.session)
        missed = welcome.missed if isinstance(welcome.missed, int) else 0
        gap = None
        behind = 0
        if asked_after is not None and same_log:
            behind = max(0, welcome.seq - self.after - missed)
            if missed and asked_after + missed > self.after:
                gap = Gap(max(self.after, asked_after) + 1, asked_after + missed)
                self.after = gap.last
        elif asked_after is not None:
            self.after = 0  # numbers of another log; what is replayed is all new
        else:
            if again and same_log and welcome.seq > self.after:
                gap = Gap(self.after + 1, welcome.seq)
                missed = welcome.seq - self.after
            self.after = welcome.seq
        self.nick, self.token = welcome.nick, welcome.token
        self.session, self.welcome = welcome.session, welcome
        return Connected(welcome, again, missed, behind, not same_log), gap
