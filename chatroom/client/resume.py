"""What resuming needs: how far this client has come, and as whom."""

from __future__ import annotations

from heapq import heappop, heappush

from chatroom.client.items import Connected
from chatroom.client.options import ConnectOptions
from chatroom.event import Gap
from chatroom.protocol.answers import Welcome

#: Own events that are remembered by their acks, at most.
OWN = 4096


class ResumeState:
    """What a client needs to come back as the same one, missing nothing."""

    def __init__(self, options: ConnectOptions) -> None:
        self.nick = options.nick or ""
        self.nick_chosen = options.nick is not None
        self.token: str | None = None
        self.session = options.session
        #: Every number up to this one has arrived here, or is known to be missing.
        self.after = options.after or 0
        # Our own events above that, of which we know by their acks. A resumed connection acks what
        # is said on it while it still replays older events, so an ack does not mean that all
        # before it has arrived; and the replay will have our own event too.
        self._own: list[int] = []  # a heap
        self.welcome: Welcome | None = None
        #: How many logs there were: numbers of an earlier one mean nothing in this one.
        self.log = 0
        # Another name and its token, to come back under if the name cannot be had.
        self._alternative: tuple[str, str | None] | None = None
        # The token of a connection that broke with a rename on its way: who holds it may still be
        # in the room, under the new name.
        self._renamed_token: str | None = None
        self._options = options

    # The name

    def broke(self, unconfirmed_rename: str | None) -> None:
        """The connection broke, perhaps with a rename on its way, to this name."""
        if unconfirmed_rename is not None:
            self._renamed_token = self._renamed_token or self.token
            self._alternative = (unconfirmed_rename, self._renamed_token)

    def try_alternative(self) -> bool:
        """The name is taken: come back under the other one that may be ours. False: there is none.

        It may be somebody else's by now that we have given up by the rename.
        """
        if self._alternative is None:
            return False
        other, self._alternative = self._alternative, (self.nick, self.token)
        self.nick, self.token = other
        return True

    def claim(self, nick: str) -> bool:
        """Come back once more, as `nick`, which a rename had given us on a connection that is gone.
        With its token: it may still be in the room. False: this was tried already.
        """
        if self._renamed_token is None:
            return False
        self._alternative = (self.nick, self.token)
        self.nick, self.token = nick, self._renamed_token
        self.nick_chosen = True
        self._renamed_token = None
        return True

    def renamed(self, nick: str) -> None:
        """A rename has been answered: this is our name."""
        self.nick = nick
        self.nick_chosen = True
        self._renamed_token = None

    # The log

    def hello(self, lowest_unconfirmed: int | None) -> dict[str, object]:
        """The object behind `/json`; resuming begins where a statement without ack may stand."""
        options = self._options
        hello: dict[str, object] = {"presence": options.presence, "echo": options.echo}
        hello |= options.credentials
        if self.nick_chosen:
            hello["nick"] = self.nick
        if self.token is not None:
            hello["token"] = self.token
        resuming = options.after is not None if self.welcome is None else options.resume
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
        self.log += new_log
        self._alternative = None
        self.nick, self.token = welcome.nick, welcome.token
        self.session, self.welcome = welcome.session, welcome
        missed = welcome.missed if isinstance(welcome.missed, int) else 0
        return Connected(welcome, again, missed, max(0, behind - missed), new_log), gap

    def acked(self, seq: int) -> None:
        """The room has a statement of ours under this number."""
        if self._options.echo or seq <= self.after:
            return  # it will arrive, or has arrived, as any other event
        heappush(self._own, seq)
        if len(self._own) > OWN:
            # Only without presence, where numbers have holes. By now all before has arrived.
            self.after = self._own[0]
        while self._own and self._own[0] <= self.after + 1:
            self.after = max(self.after, heappop(self._own))

    def arrived(self, seq: int) -> bool:
        """An event came; whether it is new here, and not our own."""
        if seq <= self.after:
            return False
        self.after = seq
        ours = False
        while self._own and self._own[0] <= seq:
            ours = heappop(self._own) == seq
        return not ours
