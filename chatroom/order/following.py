"""Reading the log: what comes of it here, and whether this server is in the room."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence

import msgspec
import trio

from chatroom.order.contract import (
    VERSION,
    Applied,
    Batch,
    Enter,
    Entry,
    Origin,
    Position,
    Quit,
    Resume,
    decode_entry,
    encode_entry,
)
from chatroom.order.part import Hearer, Part
from chatroom.order.pending import Pending
from chatroom.order.replica import OtherVersion, Replica
from chatroom.order.store import Link, Row, UnusableError

log = logging.getLogger("chatroom.order")

#: Who writes the entry whose number is a multiple of this keeps a snapshot: of 100,000 members it
#: is 10 MB, and reading on from it takes seconds.
SNAPSHOT_ENTRIES = 10_000

#: A name that another process has is asked for again so often, and for so long: whoever had it and
#: was killed is gone after five seconds or six.
_ASK_AGAIN_SECONDS = 1.0
_NAME_TAKEN_SECONDS = 15.0


class Following:
    """This server's replica, and this server in it."""

    def __init__(self, part: Part, hearer: Hearer) -> None:
        self._part = part
        self._hearer = hearer
        self._instance = secrets.token_hex(8)
        self._heard = part.heard
        self._epoch = 0  # the highest that any log has shown: a member's number is never reused
        self._lost = ""  # the session in which the log has lost what was applied here
        self._trusted = Position(0, 0)  # from a snapshot: its entry need not be in the log
        self._must_enter = True
        self._candidate: Origin | None = None  # as whom it has asked to enter
        self._refused_since: float | None = None
        self._ask_at = 0.0
        self.replica = Replica(part.room)
        self._begun = False
        self.origin: Origin | None = None  #: as whom it is in the room; None: it is not
        self.pending = Pending()
        self.link: Link | None = None  #: where it can append now
        self.snapshot: tuple[Position, bytes] | None = None  #: one that is to be kept
        self.snapshot_taken = trio.Event()
        self.present = trio.Event()  #: while it can append
        self.left = trio.Event()  #: it is out of the room for good
        self.is_leaving = False  #: when it is out, it does not come back

    async def begin(self, link: Link) -> None:
        """Read up to now over a new link, and go on as who one was, or ask to enter. Raises as
        `Link` does, and `UnusableError`.
        """
        self._candidate = None
        if not self._begun or not await self._goes_on(link):
            await self._load(link)
        while await self.read(link, wait=False):
            pass
        if not self._must_enter:
            self._continue(link)

    async def follow(self, link: Link) -> None:
        """Read what comes, until cancelled. Raises as `begin` does."""
        while True:
            if self._must_enter and not self.is_leaving and self._may_ask():
                await self._ask_to_enter(link)
            await self.read(link, wait=True)

    async def read(self, link: Link, *, wait: bool) -> bool:
        """Apply the next entries; whether there were some."""
        rows = await link.read(self.replica.position, wait=wait)
        self._apply(rows, link)
        return bool(rows)

    # Where it begins

    async def _goes_on(self, link: Link) -> bool:
        """Whether the log still has what was applied last."""
        position = self.replica.position
        return position == self._trusted or await link.holds(position)

    async def _load(self, link: Link) -> None:
        data = await link.snapshot()
        old, replica = self.replica, Replica(self._part.room)
        if data is not None:
            try:
                replica = Replica.restore(self._part.room, data)
            except (OtherVersion, msgspec.MsgspecError) as error:
                raise UnusableError(_cannot_read(str(error))) from None
        if self._begun:
            log.warning("the log does not go on where this server was: reading it again")
            self._heard = max(self._heard, old.room.seq)
            self._epoch = max(self._epoch, old.epoch)
            is_ahead = replica.position > old.position and link.keeping.run == old.run
            self._lost = "" if is_ahead and replica.session == old.session else old.session
        self._begun = self._must_enter = True
        self.replica, self._trusted = replica, replica.position
        self._hearer.begin(replica)

    def _continue(self, link: Link) -> None:
        """Say again what has not come back; the copies of what has come in do not count."""
        assert self.origin is not None
        keeping = link.keeping
        if keeping.run != self.replica.run:
            session, heard = self._part.new_session(), self.replica.room.seq
            resume = Resume(self.origin, keeping.run, keeping.proven, heard, session)
            link.append(encode_entry(resume))
        for waiting in self.pending:
            link.append(waiting.data)
        self._be_present(link)

    def _be_present(self, link: Link) -> None:
        self.link = link
        self.present.set()
        self._hearer.back(link.keeping)

    def be_cut_off(self) -> None:
        """The link has broken."""
        if self.link is not None:
            self.link, self.present = None, trio.Event()
            self._hearer.away()

    def _may_ask(self) -> bool:
        return self._candidate is None and trio.current_time() >= self._ask_at

    async def _ask_to_enter(self, link: Link) -> None:
        part, keeping = self._part, link.keeping
        epoch = max(await link.next_epoch(), self.replica.epoch + 1, self._epoch + 1)
        candidate = Origin(part.server, epoch)
        self._heard = max(self._heard, self.replica.room.seq)
        enter = Enter(
            candidate,
            self._instance,
            part.addresses,
            part.rules,
            keeping.run,
            keeping.proven,
            self._heard,
            self._lost,
            part.new_session(),
            part.charter,
        )
        self._candidate = candidate
        link.append(encode_entry(enter))

    # What comes

    def _apply(self, rows: Sequence[Row], link: Link) -> None:
        heard: list[Applied] = []
        for row in rows:
            entry = _read(row)
            if entry is None:
                self.replica.pass_over(row.position)
                continue
            if isinstance(entry, (Enter, Resume)):  # heard alone: another session may begin
                heard = self._tell(heard)
            applied = self.replica.apply(row.position, entry)
            heard.append(applied)
            if isinstance(entry, (Enter, Resume)) or applied.gone:
                heard = self._tell(heard)
                self._look_at_oneself(applied, link)
            elif applied.valid and entry.origin == self.origin:
                self._come_back(entry)
        self._tell(heard)

    def _tell(self, heard: list[Applied]) -> list[Applied]:
        """Tell, and begin a new list."""
        if heard:
            self._hearer.hear(heard)
        return []

    def _come_back(self, entry: Entry) -> None:
        if isinstance(entry, (Batch, Quit)):
            since = self.pending.confirm(entry.counter)
            if since is not None:
                self._hearer.came_back(trio.current_time() - since)
        if self.replica.entries % SNAPSHOT_ENTRIES == 0:
            self.snapshot = self.replica.position, self.replica.snapshot()
            self.snapshot_taken.set()

    def _look_at_oneself(self, applied: Applied, link: Link) -> None:
        """After an entry that may have changed whether this server is in the room."""
        is_answer = applied.entry.origin == self._candidate
        if self.origin is not None and (
            self.origin in applied.gone or (is_answer and applied.valid)
        ):
            self._go_out()
        if is_answer and applied.valid:
            self._come_in(link)
        elif is_answer:
            self._be_refused()
        elif applied.valid and applied.entry.origin == self.origin:
            self._come_back(applied.entry)

    def _go_out(self) -> None:
        self.origin = self.link = None
        self.present = trio.Event()
        self._must_enter = True
        self.pending.begin_again()
        self._hearer.out()
        if self.is_leaving:
            self.left.set()

    def _come_in(self, link: Link) -> None:
        self.origin, self._candidate = self._candidate, None
        assert self.origin is not None
        self._must_enter, self._lost, self._refused_since = False, "", None
        self.link = link  # so that what is appended on entering goes at once
        self._hearer.entered(self.origin)
        self._be_present(link)

    def _be_refused(self) -> None:
        now, self._candidate = trio.current_time(), None
        if self._part.server not in self.replica.servers:  # another was quicker with a newer epoch
            return
        self._ask_at = now + _ASK_AGAIN_SECONDS
        if self._refused_since is None:
            self._refused_since = now
        if now - self._refused_since > _NAME_TAKEN_SECONDS:
            name = self._part.server
            raise UnusableError(f"another server of this room is called {name}: choose a --name")


def _read(row: Row) -> Entry | None:
    if row.version != VERSION:
        raise UnusableError(_cannot_read(f"entries of version {row.version}"))
    try:
        return decode_entry(row.data)
    except msgspec.MsgspecError as error:  # whoever wrote it: all servers pass it over
        log.warning("an entry at %d-%d that is none: %s", *row.position, error)
        return None


def _cannot_read(what: str) -> str:
    return (
        f"the room's log has {what}, this server knows version {VERSION}: "
        "all servers of a room need the same"
    )
