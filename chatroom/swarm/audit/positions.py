"""Where every reader stands in the transcript, and the counting of what each has received."""

from __future__ import annotations

from abc import ABC, abstractmethod

from chatroom.swarm.audit.follower import NEVER, Follower
from chatroom.swarm.audit.transcript import OTHER, TALKER_SHIFT, Transcript, talker_of
from chatroom.swarm.figures.timeline import Timeline
from chatroom.swarm.wire.dialect import Dialect
from chatroom.swarm.wire.payload import Payload


class Positions(ABC):
    """All readers of one process, and the transcript that they are held against. No I/O."""

    def __init__(self, dialect: Dialect, payload: Payload, timeline: Timeline) -> None:
        self.transcript = Transcript(dialect, payload, timeline)
        self.deliveries = 0  #: messages of this run received in their turn, by all readers, so far
        self.readers: list[Follower] = []
        self.witness = Follower("witness")
        self.slowed: dict[str, str] = {}  #: readers whose talk the server slows down, and how far
        self._dialect = dialect
        self._payload = payload
        self._timeline = timeline
        self._ahead: set[Follower] = set()  # readers with pending bytes
        self._talkers: dict[int, Follower] = {}
        self.enrol(self.witness)
        self.witness.started_at = 0

    @abstractmethod
    def receive(self, reader: Follower, at_us: int, chunk: memoryview | bytes, /) -> None:
        """What a reader hears and cannot follow by itself. Never raises."""

    def note(self, reader: Follower, record: bytes) -> None:
        """A line that is no message, for this reader alone."""
        reader.last_notice = record.strip()
        if limit := self._dialect.slowed(record):
            self.slowed[reader.name] = limit

    def enrol(self, reader: Follower) -> None:
        """Add a reader. Its audit starts with the first message that it receives."""
        reader.join(self, self.transcript)
        self.readers.append(reader)
        if reader.talker is not None:
            self._talkers[reader.talker] = reader

    def start(self, reader: Follower, index: int = 0) -> None:
        """From record `index` on this reader must have everything."""
        script = self.transcript
        reader.started_at = reader.index = index
        reader.position = script.start_of(index)
        if reader.talker is not None:
            reader.own.extend(
                (place, place + 1)
                for place, key in enumerate(script.keys[index - script.first :], index)
                if talker_of(key) == reader.talker
            )
        self._mark_clear(reader)

    def dismiss(self, reader: Follower, reason: str) -> None:
        """This reader's connection has ended: nobody waits for it any more."""
        reader.gone = reason
        reader.clear_until = -1
        self._ahead.discard(reader)
        if reader.started_at is not None:
            reader.unreached = self.lacking(reader) - self.transcript.messages

    def lacking(self, reader: Follower) -> int:
        """How many messages a reader has not come to yet."""
        if reader.gone and reader.unreached:
            return reader.unreached + self.transcript.messages
        script = self.transcript
        return sum(
            key != OTHER and talker_of(key) != reader.talker and key not in reader.early
            for key in script.keys[reader.index - script.first :]
        )

    def settled(self) -> bool:
        """Has every reader everything that the witness has, and no message that it has not?

        A notice that the witness has not may be for that reader alone, and never come to it.
        """
        return self._floor() == self.transcript.count and not any(
            self._payload.left_traces_in(data)
            for reader in self._ahead
            for _, data in reader.pending
        )

    def waiting(self) -> int:
        """How many readers have not heard a message yet."""
        deaf = self.transcript.messages == 0
        return deaf + sum(reader.started_at is None and not reader.gone for reader in self.readers)

    def _floor(self) -> int:
        """The first record that someone who is there lacks."""
        return min(
            (
                reader.index
                for reader in self.readers
                if reader.started_at is not None and not reader.gone
            ),
            default=self.transcript.count,
        )

    def trim(self) -> None:
        """Forget what every reader has passed; called about once a second."""
        if not self.waiting():
            self.transcript.trim(self._floor())

    def _pass_over(self, reader: Follower, index: int) -> None:
        """The reader did not get what stands before `index`, so far."""
        script = self.transcript
        while reader.index < index:
            if not self._may_skip(reader):
                place = reader.index - script.first
                reader.missing[script.keys[place]] = script.groups[place]
            reader.index += 1

    def _skip_to(self, reader: Follower, index: int) -> None:
        """Pass over records that the reader need not have, if it is not in the middle of one."""
        if reader.position == self.transcript.start_of(reader.index):
            self._pass_over(reader, index)
            reader.position = self.transcript.start_of(index)

    def _may_skip(self, reader: Follower) -> bool:
        """Need this reader not have the record at which it stands?"""
        script, index = self.transcript, reader.index
        key = script.keys[index - script.first]
        if key == OTHER:
            if index in script.faults.records:
                reader.skipped.add(index)
            return True
        if key in reader.early:
            reader.early.discard(key)
            reader.reordered += 1
            return True
        return talker_of(key) == reader.talker

    # A talker's stream is the transcript less its own messages.

    def _note_talk(self, new: int) -> None:
        """Tell the talkers which of the records from `new` on are their own, run by run."""
        script = self.transcript
        talker, start = OTHER, new
        for index, key in enumerate(script.keys[new - script.first :], new):
            if key >> TALKER_SHIFT != talker:
                self._note_own(talker, start, index)
                talker, start = key >> TALKER_SHIFT, index
        self._note_own(talker, start, script.count)

    def _note_own(self, talker: int, start: int, stop: int) -> None:
        """These records, new in the transcript, are this talker's own: it must not have them."""
        reader = self._talkers.get(talker)
        if reader is None or reader.started_at is None or start == stop:
            return
        script = self.transcript
        reader.own.append((start, stop))
        if reader.position > (begin := script.start_of(start)):
            # What it has of the next record began like this one, as far as that was known.
            reader.pending.appendleft((0, script.between(begin, reader.position)))
            reader.position = begin
            reader.clear_until = -1
            self._ahead.add(reader)
        elif len(reader.own) == 1 and reader.clear_until != -1:
            # A lone talker hears nothing: it must not wait for a notice that others got.
            keys = script.keys[reader.index - script.first : start - script.first]
            if all(key == OTHER for key in keys):
                self._skip_to(reader, start)
            self.pass_own(reader)

    def pass_own(self, reader: Follower) -> None:
        """Go over a talker's own messages, where it has come to them."""
        script = self.transcript
        while reader.own and reader.own[0][0] <= reader.index:
            stop = reader.own[0][1]
            if reader.index < stop:
                if reader.position != script.start_of(reader.index):
                    break
                reader.index = stop
                reader.position = script.start_of(stop)
            reader.own.popleft()
        if reader.clear_until != -1:
            self._mark_clear(reader)

    def _mark_clear(self, reader: Follower) -> None:
        own = reader.own
        reader.clear_until = self.transcript.start_of(own[0][0]) if own else NEVER
