"""Whether this server is in the room, and as whom."""

from __future__ import annotations

import secrets
from enum import Enum
from random import uniform

import trio

from chatroom.order.contract import MAX_EPOCH, Applied, Enter, Entry, Origin, Resume
from chatroom.order.part import Part
from chatroom.order.pending import Pending
from chatroom.order.replica import Replica
from chatroom.order.store import Keeping, UnusableError

#: Who is refused asks again after so long, or up to twice: of several not all at once.
_ASK_AGAIN_SECONDS = 0.5

#: And for so long for a name that another process has: whoever had it and was killed is gone after
#: five seconds or six.
_NAME_TAKEN_SECONDS = 15.0


class Stage(Enum):
    """How far this server has come.

        outside ── ask ──▶ asking ── come_in ──▶ inside ── leave ──▶ leaving ──▶ left
           ▲                 │                     │
           └── refused, or the link has broken ◀───┴── held for gone, or the room was read again

    Who wants to leave and is not inside has left.
    """

    OUTSIDE = "outside"  #: it is to ask
    ASKING = "asking"  #: its `Enter` is under way
    INSIDE = "inside"
    LEAVING = "leaving"  #: its `Quit` is under way
    LEFT = "left"  #: it does not come back


class Attendance:
    """One server's way into the room and out of it, again and again."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._instance = secrets.token_hex(8)
        self.stage = Stage.OUTSIDE
        #: As whom it is in the room. It still is when the room was read again, until it enters anew
        #: or goes out: what it has appended may come until then. None: it is not.
        self.origin: Origin | None = None
        self.pending = Pending()  #: what `origin` has appended
        self.left = trio.Event()  #: it is out for good
        self._candidate: Origin | None = None  # as whom it asks, or has asked
        self._ask_at = 0.0
        self._refused_since: float | None = None
        # What a room that was read before this one has shown.
        self._heard = part.heard
        self._charter = part.charter
        self._epoch = 0  # the highest: a member's number never comes again
        self._lost = ""  # the session in which the log has lost what was applied here

    @property
    def is_inside(self) -> bool:
        """It is in the room, also while its `Quit` is under way."""
        return self.stage in (Stage.INSIDE, Stage.LEAVING)

    @property
    def is_leaving(self) -> bool:
        """When it is out, it does not come back."""
        return self.stage in (Stage.LEAVING, Stage.LEFT)

    @property
    def is_to_ask(self) -> bool:
        """It is time to ask to enter."""
        return self.stage is Stage.OUTSIDE and trio.current_time() >= self._ask_at

    @property
    def is_to_go_out(self) -> bool:
        """It has left, and is not out yet: nothing more is to be heard of what it has appended."""
        return self.stage is Stage.LEFT and self.origin is not None

    @property
    def candidate(self) -> Origin | None:
        """As whom it asks to enter; None: it does not."""
        return self._candidate if self.stage is Stage.ASKING else None

    def read_again(self, old: Replica, lost: str) -> None:
        """The room is not `old` any more, of which the log does not go on; `lost`: the session in
        which it has lost what was applied, or empty.
        """
        self._heard, self._epoch = max(self._heard, old.room.seq), max(self._epoch, old.epoch)
        self._lost = lost or self._lost
        if old.session:
            self._charter = old.room.legacy(old.time)
        self.stage = Stage.LEFT if self.is_leaving else Stage.OUTSIDE

    def link_broke(self) -> None:
        """Whether an `Enter` that was under way came in will be seen: ask with another."""
        if self.stage is Stage.ASKING:
            self.stage = Stage.OUTSIDE

    def ask(self, epoch: int, replica: Replica, keeping: Keeping) -> Enter:
        """Ask to enter. `epoch`: a new one, as far as the log knows. Raises `UnusableError` if
        there can be none any more.
        """
        assert self.stage is Stage.OUTSIDE
        part = self._part
        self._heard = max(self._heard, replica.room.seq)
        epoch = max(epoch, replica.epoch + 1, self._epoch + 1)
        if epoch > MAX_EPOCH:  # of what somebody else has put there
            raise UnusableError(
                "the room has no more epochs: end its servers, delete its three keys"
            )
        self._candidate = Origin(part.server, epoch)
        self.stage = Stage.ASKING
        return Enter(
            self._candidate,
            self._instance,
            part.addresses,
            part.rules,
            keeping.run,
            keeping.proven,
            self._heard,
            self._lost,
            part.new_session(),
            self._charter,
        )

    def resume(self, origin: Origin, replica: Replica, keeping: Keeping) -> Resume:
        """Say that one is here still, in another life of the log's keeper."""
        session = self._part.new_session()
        return Resume(origin, keeping.run, keeping.proven, replica.room.seq, session)

    def is_answer(self, entry: Entry) -> bool:
        """Whether that is what one has asked with."""
        return entry.origin == self.candidate

    def is_out_after(self, applied: Applied) -> bool:
        """Whether it is not any more who it was."""
        origin = self.origin
        if origin is None:
            return False
        return origin in applied.gone or (applied.valid and self.is_answer(applied.entry))

    def go_out(self) -> None:
        """It is not any more who it was, and what that has appended never counts. `left` is to be
        set when that is told.
        """
        self.origin = None
        self.pending.begin_again()
        if self.stage is Stage.INSIDE:
            self.stage = Stage.OUTSIDE
        elif self.stage is Stage.LEAVING:
            self.stage = Stage.LEFT

    def come_in(self) -> Origin:
        """It is in. Returns as whom."""
        assert self.candidate is not None
        self.origin, self.stage = self.candidate, Stage.INSIDE
        self._lost, self._refused_since = "", None
        return self.origin

    def be_refused(self, replica: Replica) -> None:
        """The answer is no. Raises `UnusableError` if it has been for too long."""
        now, self.stage = trio.current_time(), Stage.OUTSIDE
        self._ask_at = now + uniform(_ASK_AGAIN_SECONDS, 2 * _ASK_AGAIN_SECONDS)
        name = self._part.server
        if name not in replica.servers:  # another was quicker with a newer epoch
            return
        if self._refused_since is None:
            self._refused_since = now
        if now - self._refused_since > _NAME_TAKEN_SECONDS:
            raise UnusableError(f"another server of this room is called {name}: choose a --name")

    def leave(self) -> bool:
        """It does not want to be in any more. Returns whether a `Quit` is to be appended."""
        if self.stage is Stage.INSIDE:
            self.stage = Stage.LEAVING
            return True
        if self.stage is not Stage.LEAVING:
            self.stage = Stage.LEFT
        return False
