"""What a client wants of a room, and what is true of it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from chatroom.event import Gap
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


#: Own events that are remembered by their acks, at most.
OWN = 4096


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
        #: Every number up to this one has arrived here, or is known to be missing.
        self.after = wishes.after or 0
        # Our own events above that, of which we know by their acks. A resumed connection acks what
        # is said on it while it still replays older events, so an ack does not mean that all
        # before it has arrived; and the replay will have our own event too.
        self._own: set[int] = set()
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

        Returns what to tell the reader: the connection, and a hole that no event will show.
        """
        again = self.welcome is not None
        gap = None
        behind = 0
        if asked_after is None:
            new_log = self.session not in (None, welcome.session)
            if again and not new_log and welcome.seq > self.after:
                gap = Gap(self.after + 1, welcome.seq)
            self.after = welcome.seq
        else:
            start = welcome.after if isinstance(welcome.after, int) else asked_after
            # A session that the server does not know is never complete. From 0 nothing tells
            # whether it was known, so nothing is built on it.
            known = welcome.resumed == "complete" or self.session in (None, welcome.session)
            new_log = start < asked_after or (not known and asked_after == 0)
            if new_log:
                self.after = start
            behind = welcome.seq - self.after
        if asked_after is None or new_log:
            self._own.clear()
        self.nick, self.token = welcome.nick, welcome.token
        self.session, self.welcome = welcome.session, welcome
        missed = welcome.missed if isinstance(welcome.missed, int) else 0
        return Connected(welcome, again, missed, max(0, behind - missed), new_log), gap

    def acked(self, seq: int) -> None:
        """The room has a statement of ours under this number."""
        if self._wishes.echo or seq <= self.after:
            return  # it will arrive, or has arrived, as any other event
        self._own.add(seq)
        if len(self._own) > OWN:
            # Only without presence, where numbers have holes. By now all before has arrived.
            self.after = max(self.after, min(self._own))
        while self.after + 1 in self._own:
            self.after += 1
            self._own.discard(self.after)
        if self._own and self.after >= min(self._own):
            self._own = {own for own in self._own if own > self.after}

    def arrived(self, seq: int) -> bool:
        """An event came; whether it is new here, and not our own."""
        if seq <= self.after:
            return False
        self.after = seq
        if not self._own:
            return True
        ours = seq in self._own
        self._own = {own for own in self._own if own > seq}
        return not ours
