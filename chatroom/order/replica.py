"""One room as every server has it: a state machine over the log. Synchronous; no clock, no chance.

Schneider, "Implementing fault-tolerant services using the state machine approach", 1990: whoever
applies the same entries in the same order has the same room. So nothing in here may depend on
anything but the entries: not on this machine's clock, not on the order of a set, not on which
server this is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from chatroom.event import Clock, CloseReason
from chatroom.order.contract import (
    EPOCH_SHIFT,
    MAX_EPOCH,
    ORIGIN,
    VERSION,
    Applied,
    Batch,
    Done,
    Enter,
    Entry,
    Origin,
    Position,
    Quit,
    Resume,
    Rules,
)
from chatroom.room.commands import Close, Command, Leave, Outcome, Own, Say
from chatroom.room.refused import Refused
from chatroom.room.room import Room
from chatroom.room.snapshot import RoomSnapshot

#: A server that writes nothing for so long is gone. Each writes something every second.
GONE_AFTER_MS = 5000

#: The most that a pause between two entries counts: when all are silent the log was away, and who
#: could not write is not gone.
LONGEST_PAUSE_MS = 2000

#: How far numbers jump where some may have been given out that nobody here knows of: the tail that
#: a log loses is a second's or two, at less than 100,000 events each.
NUMBERS_SKIPPED = 1_000_000

#: Who writes the first batch behind so many entries, or so many bytes of them, keeps a snapshot: of
#: 100,000 members it is 10 MB, and reading on from it takes seconds. Several pages of the longest
#: entries, so that who reads less than a page has not been overtaken by the cutting.
SNAPSHOT_ENTRIES = 10_000
SNAPSHOT_BYTES = 64 * 1024 * 1024

_UNKNOWN = Outcome(refused=Refused("unavailable", "you are not in the room"))


def _tell_nobody(batch: Batch | None, done: Done) -> None:
    pass


class Server(msgspec.Struct):
    """A server that is here."""

    origin: Origin
    instance: str
    addresses: tuple[str, ...]
    counter: int  #: of its last batch
    heard_ms: int  #: its last entry, by the log's clock without long pauses


class Snapshot(msgspec.Struct, frozen=True):
    """A replica as a value."""

    version: int
    position: Position
    entries: int
    epoch: int
    session: str
    run: str
    time_ms: int
    awake_ms: int
    rules: Rules
    servers: list[Server]
    room: RoomSnapshot
    since_entries: int
    since_bytes: int


class OtherVersion(ValueError):
    """What was read is of another version than ours; the text says which."""


class Replica:
    """A room, its session, and which servers are in it."""

    def __init__(self, name: str) -> None:
        self.position = ORIGIN  #: of the last entry
        self.entries = 0  #: how many, ever
        self.since_entries = 0  #: since a snapshot was due
        self.since_bytes = 0  #: of those entries
        self.is_snapshot_due = False  #: whoever wrote the last entry is to keep one
        self.session = ""  #: empty until the first server enters
        self.epoch = 0  #: the last with which a server entered
        self.rules = Rules(0, 0)
        self.servers: dict[str, Server] = {}  #: by their names, in the order of their entering
        self.room = Room(name, max_members=0, presence_limit=0)
        #: Called with each command when it has been done, and before the next is: with its entry,
        #: or None where it is of none, because a server is gone. Whoever looks at the room then
        #: sees it as it is at that place in the order.
        self.tell: Callable[[Batch | None, Done], None] = _tell_nobody
        self._run = ""
        self._time_ms = 0
        self._awake_ms = 0
        self._clock = Clock(lambda: self._time_ms * 1_000_000)

    @property
    def time(self) -> str:
        """The time of the last entry; it never runs backwards."""
        return self._clock.utc_now()

    @property
    def run(self) -> str:
        """The life of the log's keeper that this room knows of."""
        return self._run

    def apply(self, position: Position, entry: Entry, size_bytes: int = 0) -> Applied:
        """Do what an entry says, which stands behind all others so far. Never raises for what is in
        it: what cannot be is refused, or the entry does not count.
        """
        self._pass_time(position)
        self._weigh(size_bytes)
        gone = self._pop(
            [server.origin for server in self.servers.values() if self._misses(server)]
        )
        valid = self._counts(entry)
        self._look_whether_due(valid and isinstance(entry, Batch))
        began_after: int | None = None
        if valid and isinstance(entry, Enter):
            gone += self._pop([entry.origin])  # it begins again
            began_after = self._enter(entry)
        elif valid and isinstance(entry, Resume):
            began_after = self._look_at_run(entry)
        lost = self._show_out(gone, CloseReason.LOST)
        done: tuple[Done, ...] = ()
        if valid and isinstance(entry, Batch):
            done = self._do_all(entry)
        elif valid and isinstance(entry, Quit):
            left = self._pop([entry.origin])
            gone, lost = gone + left, lost + self._show_out(left, CloseReason.SHUTDOWN)
        return Applied(position, entry, valid, self.time, lost, tuple(gone), done, began_after)

    def pass_over(self, position: Position, size_bytes: int = 0) -> None:
        """There stands something that is no entry."""
        self._pass_time(position)
        self._weigh(size_bytes)

    def silent_seconds(self) -> dict[str, float]:
        """For how long nothing has come from each server, by the log's clock."""
        return {
            name: (self._awake_ms - server.heard_ms) / 1000 for name, server in self.servers.items()
        }

    # How much there is

    def _weigh(self, size_bytes: int) -> None:
        self.entries += 1
        self.since_entries += 1
        self.since_bytes += size_bytes

    def _look_whether_due(self, can_be: bool) -> None:
        is_much = self.since_entries >= SNAPSHOT_ENTRIES or self.since_bytes >= SNAPSHOT_BYTES
        self.is_snapshot_due = is_much and can_be
        if self.is_snapshot_due:
            self.since_entries = self.since_bytes = 0

    # Time

    def _pass_time(self, position: Position) -> None:
        pause_ms = max(0, position.ms - self._time_ms)
        self._time_ms += pause_ms
        self._awake_ms += min(pause_ms, LONGEST_PAUSE_MS)
        self.position = position

    def _misses(self, server: Server) -> bool:
        """It has been silent for too long."""
        return server.heard_ms < self._awake_ms - GONE_AFTER_MS

    # Servers

    def _counts(self, entry: Entry) -> bool:
        """Whether an entry is of a server that is here, and its next: a copy, and what overtook
        another that is still to come, do not count.
        """
        if isinstance(entry, Enter):
            return self._may_enter(entry.origin, entry.instance)
        server = self.servers.get(entry.origin.server)
        if server is None or server.origin != entry.origin:
            return False
        server.heard_ms = self._awake_ms
        if isinstance(entry, Resume):
            return True
        if entry.counter != server.counter + 1:
            return False
        server.counter = entry.counter
        return True

    def _enter(self, enter: Enter) -> int | None:
        if not self.session:
            self._found(enter)
        self._rule(enter.rules)
        self.servers[enter.origin.server] = Server(
            enter.origin, enter.instance, enter.addresses, 0, self._awake_ms
        )
        return self._look_at_run(enter, lost=enter.lost)

    def _may_enter(self, origin: Origin, instance: str) -> bool:
        """Not under the name of another process that is here. Nor with an epoch that is not new:
        a second copy of an entry must not bring back who has gone.
        """
        known = self.servers.get(origin.server)
        is_new = self.epoch < origin.epoch <= MAX_EPOCH
        if not is_new or (known is not None and known.instance != instance):
            return False
        self.epoch = origin.epoch
        return True

    def _found(self, enter: Enter) -> None:
        """The room begins as its first server knows it."""
        rules, name = enter.rules, self.room.name
        limits = {"max_members": rules.max_members, "presence_limit": rules.presence_limit}
        self.room.put_back(Room(name, charter=enter.charter, **limits).snapshot())

    def _rule(self, rules: Rules) -> None:
        self.rules = rules
        self.room.rule(
            max_members=rules.max_members,
            presence_limit=rules.presence_limit,
            governed=rules.governed,
        )

    def _look_at_run(self, entry: Enter | Resume, lost: str = "") -> int | None:
        """Begin a new session if this one may not go on: another life of the log's keeper may have
        forgotten numbers that were given out. Returns the number that it begins after, or None.
        """
        goes_on = self._run in ("", entry.run) or entry.proven
        self._run = entry.run
        if self.session and goes_on and self.session != lost and entry.heard <= self.room.seq:
            return None
        seq = max(self.room.seq, entry.heard)
        if self.session or lost:
            seq += NUMBERS_SKIPPED
        self.session = entry.session
        self.room.skip_to(seq)
        return seq

    def _pop(self, origins: Sequence[Origin]) -> list[Origin]:
        """Servers of these names, if there are some, are here no more. Returns which were."""
        found = [self.servers.pop(origin.server, None) for origin in origins]
        return [server.origin for server in found if server is not None]

    def _show_out(self, gone: Sequence[Origin], reason: CloseReason) -> tuple[Done, ...]:
        """Whoever was on these servers leaves, in the order of their numbers."""
        if not gone:
            return ()
        epochs = [origin.epoch for origin in gone]
        leaves = [
            Leave(who, self.time, reason)
            for who in self.room.everybody()
            if who >> EPOCH_SHIFT in epochs
        ]
        left = []
        for leave in leaves:
            one = Done(leave, self.room.apply(leave))
            self.tell(None, one)
            left.append(one)
        return tuple(left)

    # Commands

    def _do_all(self, batch: Batch) -> tuple[Done, ...]:
        epoch, time = batch.origin.epoch, self.time
        done = []
        for command in batch.commands:
            one = self._do(command, epoch, time)
            self.tell(batch, one)
            done.append(one)
        return tuple(done)

    def _do(self, command: Command, epoch: int, time: str) -> Done:
        try:
            if type(command) is Say:
                return Done(command, self._say(command, epoch, time))
            return Done(command, self._rest(command, epoch, time))
        except KeyError:  # somebody who is not here, or no longer
            return Done(command, _UNKNOWN)

    def _say(self, say: Say, epoch: int, time: str) -> Outcome:
        if say.who >> EPOCH_SHIFT != epoch:
            return _UNKNOWN
        try:
            return Outcome(self.room.say(say.who, time, say.kind, say.text, say.notice))
        except Refused as refused:
            return Outcome(refused=refused)

    def _rest(self, command: Any, epoch: int, time: str) -> Outcome:
        if isinstance(command, Close):  # a server's end is not the room's
            return _UNKNOWN
        if not isinstance(command, Own):
            who = command.who
            if who is not None and who >> EPOCH_SHIFT != epoch:
                return _UNKNOWN
        return self.room.apply(msgspec.structs.replace(command, time=time))

    def move_into(self, room: Room) -> None:
        """Have `room` be this one's, which others hold: nothing is left of what it has been."""
        room.put_back(self.room.snapshot())
        self.room = room
        self._rule(self.rules)

    # As a value

    def snapshot(self) -> bytes:
        """All that it is. Takes time in proportion to the members: some 2 µs each."""
        return _encode(
            Snapshot(
                VERSION,
                self.position,
                self.entries,
                self.epoch,
                self.session,
                self._run,
                self._time_ms,
                self._awake_ms,
                self.rules,
                list(self.servers.values()),
                self.room.snapshot(),
                self.since_entries,
                self.since_bytes,
            )
        )

    @classmethod
    def restore(cls, name: str, data: bytes) -> Replica:
        """The replica that `data` was taken of. Raises `OtherVersion`, or `msgspec.MsgspecError`
        for what is no snapshot.
        """
        version = _decode_version(data).version
        if version != VERSION:
            raise OtherVersion(f"a snapshot of version {version}")
        snapshot = _decode(data)
        replica = cls(name)
        replica.position, replica.entries = snapshot.position, snapshot.entries
        replica.since_entries = snapshot.since_entries
        replica.since_bytes = snapshot.since_bytes
        replica.epoch = snapshot.epoch
        replica.session, replica._run = snapshot.session, snapshot.run
        replica._time_ms, replica._awake_ms = snapshot.time_ms, snapshot.awake_ms
        replica.servers = {server.origin.server: server for server in snapshot.servers}
        replica.room.put_back(snapshot.room)
        replica._rule(snapshot.rules)
        return replica


class _Version(msgspec.Struct):
    version: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Snapshot).decode
_decode_version = msgspec.msgpack.Decoder(_Version).decode
