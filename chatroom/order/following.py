"""Reading the log: what comes of it here, and whether this server is in the room."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec
import trio

from chatroom.order.attendance import Attendance
from chatroom.order.contract import (
    ORIGIN,
    VERSION,
    Applied,
    Batch,
    Enter,
    Entry,
    Position,
    Quit,
    Resume,
    decode_entry,
    encode_entry,
)
from chatroom.order.part import Hearer, Part
from chatroom.order.replica import OtherVersion, Replica
from chatroom.order.store import NO_VERSION, PAGE, AwayError, Extent, Link, Row, UnusableError

log = logging.getLogger("chatroom.order")

#: How often the log's entries are counted, lest one is missing unseen. A round trip.
_LOOK_SECONDS = 1.0


class Following:
    """This server's replica, and this server in it.

    The replica has applied every entry of the log, none left out: else the room is read again.
    """

    def __init__(self, part: Part, hearer: Hearer) -> None:
        self._room = part.room
        self._hearer = hearer
        self._is_sound = False  # the replica has all of the log up to where it is, as far as known
        self._extent: Extent | None = None  # to be held against the replica when it is there
        self._look_at = 0.0
        self.attendance = Attendance(part)
        self.replica = Replica(part.room)
        self.link: Link | None = None  #: where it can append now
        self.present = trio.Event()  #: while it can append
        #: Something that was appended over the present link, or the last.
        self.has_come_back = False
        self._asked: Link | None = None  # where it has asked to enter, unless that has broken
        self._taken: tuple[Position, bytes] | None = None  # a snapshot, perhaps not of this log
        self.snapshot: tuple[Position, bytes] | None = None  #: one that is to be kept
        self.snapshot_due = trio.Event()  #: there is one

    async def begin(self, link: Link) -> None:
        """Read up to now over a new link, and go on as who one was, if one is. Raises as `Link`
        does, and `UnusableError`.
        """
        self.attendance.link_broke()
        self.has_come_back = False
        self._extent = None  # the log may have lost its end since
        if not self._is_sound or not await self._fits(self.replica, link):
            await self._load(link)
        while await self.read(link, wait=False):
            pass
        await self._look(link)
        if self.attendance.is_inside:
            self._continue(link)

    async def follow(self, link: Link) -> None:
        """Read what comes, until cancelled. Raises as `begin` does."""
        attendance = self.attendance
        while True:
            if attendance.is_to_go_out:
                self._go_out()
            elif attendance.is_to_ask:
                epoch = await link.next_epoch()
                if not attendance.is_to_ask:  # it has left meanwhile
                    continue
                enter = attendance.ask(epoch, self.replica, link.keeping)
                link.append(encode_entry(enter), begins=True)
                self._asked = link
            if trio.current_time() >= self._look_at:
                await self._look(link)
            await self.read(link, wait=True)

    def leave(self) -> bool:
        """As `Attendance.leave`. An `Enter` that is under way is taken back."""
        unwanted = self.attendance.candidate
        if unwanted is not None and self._asked is not None:
            self._asked.append(encode_entry(Quit(unwanted, 1)))
        return self.attendance.leave()

    async def read(self, link: Link, *, wait: bool) -> bool:
        """Apply the next entries; whether there were some. Raises `AwayError` instead if they do
        not follow what was applied.
        """
        rows = await link.read(self.replica.position, wait=wait)
        entries = [_read(row) for row in rows]
        # The log may have been cut in front of who is far behind, and each begins with an `Enter`.
        is_doubtful = len(rows) == PAGE or any(isinstance(entry, Enter) for entry in entries)
        if is_doubtful and not await self._is_held(self.replica, link):
            raise self._lost_track()
        self._apply(rows, entries, link)
        self._compare(rows)
        return bool(rows)

    # Whether nothing is missing

    async def _look(self, link: Link) -> None:
        """See if the replica is at a place of this log, all of which it has had. Raises `AwayError`
        if not: then the room is to be read again.
        """
        self._look_at = trio.current_time() + _LOOK_SECONDS
        extent = await link.extent()
        if not _is_within(self.replica, extent):
            raise self._lost_track()
        if self._extent is None:  # else who is always behind would never come to be held against it
            self._extent = extent
        self._compare(())

    def _compare(self, rows: Sequence[Row]) -> None:
        """Where the log's end was, the replica has had as many entries as the log. `rows` are the
        last of them.
        """
        extent = self._extent
        if extent is None or self.replica.position < extent.last:
            return
        self._extent = None
        had = self.replica.entries - sum(row.position > extent.last for row in rows)
        if had != extent.added:
            raise self._lost_track()
        if self._taken is not None and self._taken[0] <= extent.last:
            self.snapshot, self._taken = self._taken, None
            self.snapshot_due.set()

    def _lost_track(self) -> AwayError:
        self._is_sound = False
        return AwayError("entries are missing in the room's log, or it is another log")

    async def _fits(self, replica: Replica, link: Link) -> bool:
        """Whether the log goes on where a replica is."""
        extent = await link.extent()
        if not _is_within(replica, extent):
            return False
        return replica.position == extent.last or await self._is_held(replica, link)

    @staticmethod
    async def _is_held(replica: Replica, link: Link) -> bool:
        """Whether the log has the entry at which a replica is, and so all after it."""
        if replica.position == ORIGIN:
            extent = await link.extent()
            return extent.kept == extent.added
        return await link.holds(replica.position)

    # Where it begins

    async def _load(self, link: Link) -> None:
        """Begin at a snapshot, or at the beginning. Raises `AwayError` if the log goes on at none:
        it may when the next snapshot is kept.
        """
        old = self.replica
        for data in (*await link.snapshots(), None):
            replica = Replica(self._room) if data is None else self._restored(data)
            if await self._fits(replica, link):
                break
        else:
            raise AwayError("entries are missing in the room's log, or its snapshot is")
        if old.session:
            log.warning("the log does not go on where this server was: reading it again")
        is_ahead = replica.position > old.position and link.keeping.run == old.run
        lost = "" if is_ahead and replica.session == old.session else old.session
        self.attendance.read_again(old, lost)
        self.replica, self._extent, self._is_sound = replica, None, True
        self._taken = self.snapshot = None  # of a room that is not this log's
        self._hearer.begin(replica)

    def _restored(self, data: bytes) -> Replica:
        try:
            return Replica.restore(self._room, data)
        except OtherVersion as error:
            raise UnusableError(_cannot_read(str(error))) from None
        except (msgspec.MsgspecError, RecursionError) as error:
            raise UnusableError(f"the snapshot of the room's log is none: {error}") from None

    def _continue(self, link: Link) -> None:
        """Say again what has not come back; the copies of what has come in do not count."""
        attendance, keeping = self.attendance, link.keeping
        assert attendance.origin is not None
        if keeping.run != self.replica.run:
            resume = attendance.resume(attendance.origin, self.replica, keeping)
            link.append(encode_entry(resume))
        for waiting in attendance.pending:
            link.append(waiting.data)
        self._be_present(link)

    def _be_present(self, link: Link) -> None:
        self.link = link
        self.present.set()
        self._hearer.back(link.keeping)

    def be_cut_off(self, reason: str) -> None:
        """The link has broken."""
        self._asked = None
        if self.link is not None:
            self._be_absent()
            self._hearer.away(reason)

    def _be_absent(self) -> None:
        self.link = None
        if self.present.is_set():  # else somebody may wait for this one
            self.present = trio.Event()

    # What comes

    def _apply(self, rows: Sequence[Row], entries: Sequence[Entry | None], link: Link) -> None:
        heard: list[Applied] = []
        for row, entry in zip(rows, entries, strict=True):
            if entry is None:
                self.replica.pass_over(row.position, len(row.data))
                continue
            if isinstance(entry, (Enter, Resume)):  # heard alone: another session may begin
                heard = self._tell(heard)
            applied = self.replica.apply(row.position, entry, len(row.data))
            heard.append(applied)
            if isinstance(entry, (Enter, Resume)) or applied.gone:
                heard = self._tell(heard)
                self._look_at_oneself(applied, link)
            elif applied.valid and entry.origin == self.attendance.origin:
                self._come_back(entry)
        self._tell(heard)

    def _tell(self, heard: list[Applied]) -> list[Applied]:
        """Tell, and begin a new list."""
        if heard:
            self._hearer.hear(heard)
        return []

    def _come_back(self, entry: Entry) -> None:
        if isinstance(entry, (Batch, Quit)):
            since = self.attendance.pending.confirm(entry.counter)
            if since is not None:
                self.has_come_back = True
                self._hearer.came_back(trio.current_time() - since)
        if self.replica.is_snapshot_due:
            self._taken = self.replica.position, self.replica.snapshot()
            self._look_at = 0.0  # others begin with it: it must be of this log

    def _look_at_oneself(self, applied: Applied, link: Link) -> None:
        """After an entry that may have changed whether this server is in the room."""
        attendance = self.attendance
        is_answer = attendance.is_answer(applied.entry)
        if attendance.is_out_after(applied):
            self._go_out()
        if is_answer and applied.valid:
            self._come_in(link)
        elif is_answer:
            attendance.be_refused(self.replica)
        elif applied.valid and applied.entry.origin == attendance.origin:
            self._come_back(applied.entry)

    def _go_out(self) -> None:
        self._be_absent()
        self.attendance.go_out()
        self._hearer.out()
        if self.attendance.is_leaving:
            self.attendance.left.set()

    def _come_in(self, link: Link) -> None:
        origin = self.attendance.come_in()
        self.link = link  # so that what is appended on entering goes at once
        self._hearer.entered(origin)
        self._be_present(link)


def _is_within(replica: Replica, extent: Extent) -> bool:
    """Whether the log is as long as what a replica has had, and has all that comes after it."""
    is_cut_off = replica.entries < extent.added - extent.kept
    return replica.entries <= extent.added and replica.position <= extent.last and not is_cut_off


def _read(row: Row) -> Entry | None:
    """The entry; None for what is none, whoever wrote it: all servers pass it over."""
    if row.version not in (VERSION, NO_VERSION):
        raise UnusableError(_cannot_read(f"entries of version {row.version}"))
    try:
        if row.version == NO_VERSION:
            raise ValueError("it has no version")
        return decode_entry(row.data)
    except ValueError as error:
        log.warning("an entry at %d-%d that is none: %s", *row.position, error)
        return None


def _cannot_read(what: str) -> str:
    return (
        f"the room's log has {what}, this server knows version {VERSION}: "
        "all servers of a room need the same"
    )
