"""The log of a room that several servers share, as one of them uses it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from chatroom.order.contract import MAX_COMMANDS, Batch, Entry, Origin, Quit, encode_entry
from chatroom.order.following import Following
from chatroom.order.part import Hearer, Part, Statistics, UnavailableError
from chatroom.order.store import (
    AwayError,
    Keeping,
    Link,
    NotKeptError,
    Store,
    UnfitError,
    UnusableError,
)

if TYPE_CHECKING:
    from trio_typing import TaskStatus

    from chatroom.order.replica import Replica
    from chatroom.room.commands import Command

log = logging.getLogger("chatroom.order")

#: Each server writes something at least so often.
HEARTBEAT_SECONDS = 1.0

#: A link over which nothing has come back for so long is given up for a new one.
STUCK_SECONDS = 10.0

#: A server that begins waits so long for the log, and then says that it is not there.
FIRST_REACH_SECONDS = 10.0

#: Between two attempts to reach the log; doubled up to the second.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 1.0


class SharedLog:
    """What a server asks of the room goes in by `append`, and what all servers have asked comes out
    by a `Hearer`, in one order for all.
    """

    def __init__(self, store: Store, part: Part, hearer: Hearer) -> None:
        self._store = store
        self._following = Following(part, hearer)
        self._running = trio.CancelScope()

    @property
    def replica(self) -> Replica:
        """The room as it is here. Another one after each `Hearer.begin`."""
        return self._following.replica

    @property
    def origin(self) -> Origin | None:
        """As whom this server is in the room; None: it is not."""
        return self._following.attendance.origin

    def append(self, commands: Sequence[Command]) -> int:
        """Ask the room for something; at most `MAX_COMMANDS`. Never waits.

        Returns the counter of the entry, with which it comes to `Hearer.hear`, once and in the
        order of these calls, unless `Hearer.out` comes first. Raises `UnavailableError` while this
        server is not in the room, and while too much is under way.
        """
        if len(commands) > MAX_COMMANDS:
            raise ValueError(f"an entry has at most {MAX_COMMANDS} commands")
        if self._following.attendance.is_leaving:
            raise UnavailableError("this server is leaving the room")
        return self._append(lambda origin, counter: Batch(origin, counter, tuple(commands)))

    async def leave(self) -> None:
        """End this server's part in good order: when this returns, all that was appended has been
        heard of, whoever was left here has left with `shutdown`, and `run` ends: nothing is heard
        any more. Waits as long as the log is away. Cancelled, the rest happens all the same, if it
        can, as long as `run` runs.
        """
        attendance = self._following.attendance
        if self._following.leave():
            self._append(Quit, even_if_full=True)
        if attendance.origin is not None:
            await attendance.left.wait()
        self._running.cancel()

    def statistics(self) -> Statistics:
        """How it goes now. Never waits."""
        following, replica = self._following, self.replica
        pending = following.attendance.pending
        since = pending.oldest_since
        return Statistics(
            following.link is not None,
            0.0 if since is None else trio.current_time() - since,
            len(pending),
            pending.size_bytes,
            replica.entries,
            replica.since_entries,
            replica.silent_seconds(),
        )

    def _append(self, entry: Callable[[Origin, int], Entry], *, even_if_full: bool = False) -> int:
        following = self._following
        origin, pending = following.attendance.origin, following.attendance.pending
        if origin is None:
            raise UnavailableError("this server is not in the room now")
        if pending.is_full and not even_if_full:
            raise UnavailableError("too much waits for the log already")
        now = trio.current_time()
        data = encode_entry(entry(origin, pending.last + 1))
        pending.add(data, now)
        if following.link is not None:
            following.link.append(data)
        return pending.last

    # The life

    async def run(self, *, task_status: TaskStatus[Keeping]) -> None:
        """Take part until cancelled, or until this server has left; started when it has entered,
        with what the keeper of the log promises. Raises `UnusableError` if that cannot be: the log
        is not there at the start, its entries are of another version, the server's name is
        another's.
        """
        begun_at, pause = trio.current_time(), _FIRST_PAUSE_SECONDS
        started = False

        def entered(keeping: Keeping) -> None:
            nonlocal started
            if not started:
                started = True
                task_status.started(keeping)

        with self._running:
            while True:
                error = await self._take_part(entered)
                self._following.be_cut_off(str(error))
                if self._following.has_come_back:
                    pause = _FIRST_PAUSE_SECONDS
                is_final = isinstance(error, UnfitError)
                waited = trio.current_time() - begun_at
                if not started and (is_final or waited >= FIRST_REACH_SECONDS):
                    raise UnusableError(f"the log cannot be reached: {error}")
                await trio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _take_part(self, entered: Callable[[Keeping], None]) -> AwayError:
        """As long as one link holds. Returns why it broke."""
        away: BaseException | None = None
        unusable: BaseException | None = None
        try:
            async with self._store.reach() as link, trio.open_nursery() as nursery:
                await self._following.begin(link)
                nursery.start_soon(link.wait_broken)
                nursery.start_soon(self._beat, link, entered)
                nursery.start_soon(self._keep_snapshots, link)
                await self._following.follow(link)
        except* AwayError as errors:
            away = _first(errors)
        except* UnusableError as errors:
            unusable = _first(errors)
        if unusable is not None:
            raise unusable
        assert isinstance(away, AwayError)
        return away

    async def _beat(self, link: Link, entered: Callable[[Keeping], None]) -> None:
        """Say that one is here, when one has said nothing else; and see that it comes back."""
        following, attendance = self._following, self._following.attendance
        begun_at = trio.current_time()  # what waited for this link is not to be held against it
        while True:
            await following.present.wait()
            if attendance.origin is None:
                continue  # held for gone before this task had its turn
            entered(link.keeping)
            since = attendance.pending.oldest_since
            if since is None and not attendance.is_leaving:
                self._append(Batch)
            elif since is not None and trio.current_time() - max(since, begun_at) > STUCK_SECONDS:
                raise AwayError(f"nothing came back for {STUCK_SECONDS:g} seconds")
            await trio.sleep(HEARTBEAT_SECONDS)

    async def _keep_snapshots(self, link: Link) -> None:
        """One that a broken link has kept from being kept is kept over the next."""
        following = self._following
        while True:
            await following.snapshot_due.wait()
            snapshot = following.snapshot
            if snapshot is not None:
                try:
                    await link.keep(*snapshot)
                except NotKeptError as error:  # the room goes on; the next is due in some minutes
                    log.warning("the room's log grows: no snapshot can be kept: %s", error)
            if following.snapshot is snapshot:
                following.snapshot, following.snapshot_due = None, trio.Event()


def _first(group: BaseExceptionGroup[Exception]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
