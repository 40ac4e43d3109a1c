"""What the room said, as one listener heard it: the stream that all others are held against.

One bot, the witness, only listens, and is read in full: its bytes are kept and parsed here, record
by record. Every other reader's bytes need only be equal to these, which is one `memcmp` for each
chunk received and no parsing.

Records are numbered 0, 1, 2, … and stand at absolute byte offsets; what every reader has passed is
trimmed away at the front.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from zlib import crc32

from chatroom.swarm.figures.timeline import Counts, Timeline
from chatroom.swarm.wire.dialect import Dialect, Said
from chatroom.swarm.wire.payload import Mark, Payload

#: The key of a record that is no message of this run: a notice, say, or someone else's talk.
OTHER = -1
NO_DUE_US = -1
TALKER_SHIFT = 40  # a key is the talker's number above the message's; `OTHER` has talker -1

#: The talker whose messages tell who is in the room, before the others talk.
ROLL_CALLER = 0


def key_of(mark: Mark) -> int:
    """Talker and number as one integer."""
    return mark.talker << TALKER_SHIFT | mark.number


def talker_of(key: int) -> int:
    """The talker in a key."""
    return key >> TALKER_SHIFT


class DueGroup:
    """Records in a row that were due at the same moment: their latencies are counted together."""

    __slots__ = ("counts", "due_us", "end")

    def __init__(self, due_us: int, counts: Counts, end: int) -> None:
        self.due_us = due_us
        self.counts = counts
        self.end = end  #: the record after the last of the group


@dataclass
class WitnessFaults:
    """What was wrong in the witness's own stream. Who heard the same bytes has the same faults."""

    #: record index: doubled, reordered or altered
    records: dict[int, str]
    #: key of a message that did not come in its turn: the index where it was missed
    absent: dict[int, int]
    #: keys of messages that came after their turn
    late: set[int]


class Transcript:
    """The witness's stream, parsed."""

    def __init__(self, dialect: Dialect, payload: Payload, timeline: Timeline) -> None:
        self.content = bytearray()
        self.base = 0  #: absolute offset of `content[0]`, where record `first` begins
        self.end = 0  #: absolute offset of the end of `content`
        self.first = 0  #: the first record that is kept
        self.count = 0  #: records so far, those trimmed away included
        self.messages = 0  #: those of them that are messages of this run, in their turn
        #: Messages of this process's own talkers that the witness has heard, in whatever turn, or
        #: that are not to be waited for any more: a closed loop goes by it.
        self.own_messages = 0
        self.ends: list[int] = []  #: absolute offset of the end of each record kept
        self.keys: list[int] = []
        self.groups: list[DueGroup] = []
        self.asked_end = self.asked_stop = 0  #: the last answer of `records_before`
        self.next_number: dict[int, int] = {}  #: for each talker
        self.faults = WitnessFaults({}, {}, set())
        self.order_digest = 0  #: of the load's messages, in order: equal where the order is
        self._dialect = dialect
        self._payload = payload
        self._timeline = timeline
        self._outside = timeline.at(-1).counts
        self._senders: dict[int, bytes] = {}
        self._seq = 0  # of the last message in its turn, where messages have numbers
        self._frames: dict[int, tuple[bytes, bytes]] = {}  # what stands around a talker's texts
        self._expected: dict[bytes, Mark] = {}  # by record where the frame is known, else by text
        self._given_up: set[int] = set()  # keys counted in `own_messages` without being heard
        self._partial = b""  # the record that is not complete yet
        self._digest_from_us: int | None = None

    def introduce(self, talker: int, nick: bytes) -> None:
        """By this name the server has to call that talker; else it may be any, but only one."""
        self._senders[talker] = nick

    def digest_from(self, due_us: int) -> None:
        """Take messages due from then on into `order_digest`, those too that came already."""
        self._digest_from_us = due_us
        for key, group in zip(self.keys, self.groups, strict=True):
            if key != OTHER and group.due_us >= due_us:
                self._digest(key)

    def _digest(self, key: int) -> None:
        self.order_digest = crc32(key.to_bytes(8, "big"), self.order_digest)

    def append(self, chunk: bytes | memoryview) -> None:
        """Take what the witness received next."""
        self.content += chunk
        begin = self.end - len(self._partial)
        self.end += len(chunk)
        data, start, record_end = self._partial + chunk, 0, self._dialect.record_end
        expected, numbers = self._expected, self.next_number
        while stop := record_end(data, start):
            record = data[start:stop]
            start = stop
            mark = expected.pop(record, None)
            if mark is not None and numbers.get(mark.talker) == mark.number:
                # Nearly all there is: what was sent, byte for byte, and in its turn.
                self.own_messages += 1
                self._add(self._next(mark), mark.due_us, begin + stop)
            else:
                self._add_unexpected(record, mark, begin + stop)
        self._partial = data[start:]

    def expect(self, text: bytes, mark: Mark) -> None:
        """This text has been sent: when it comes, it need not be parsed."""
        frame = self._frames.get(mark.talker)
        self._expected[text if frame is None else text.join(frame)] = mark

    def _add(self, key: int, due_us: int, end: int) -> None:
        self.count += 1
        self.ends.append(end)
        self.keys.append(key)
        groups = self.groups
        if groups and (last := groups[-1]).due_us == due_us:
            last.end = self.count
            groups.append(last)
        else:
            counts = self._outside if key == OTHER else self._timeline.at(due_us).counts
            groups.append(DueGroup(due_us, counts, self.count))

    def _add_unexpected(self, record: bytes, mark: Mark | None, end: int) -> None:
        """A record that has to be looked at; `mark` is what was expected, but not now."""
        own = mark is not None
        if mark is None:
            mark, own = self._heard(record)
        if mark is not None and own:
            self._count_own(key_of(mark))
        if mark is None:
            if self._payload.left_traces_in(record):
                self.faults.records[self.count] = "altered"
            self._add(OTHER, NO_DUE_US, end)
        elif (key := self._in_turn(mark, own=own)) == OTHER:
            self._add(OTHER, NO_DUE_US, end)
        else:
            self._add(key, mark.due_us, end)

    def _heard(self, record: bytes) -> tuple[Mark | None, bool]:
        """Like `read`, for the witness, who hears each message once; and whether it is one that a
        talker of this process has sent.
        """
        said = self._dialect.said(record)
        if said is None:
            return None, False
        mark = self._expected.pop(said.text, None)
        if mark is None:
            mark = self.read(record)
            if mark is not None:
                self._note_number(mark, said)
            return mark, False
        if self._senders.setdefault(mark.talker, said.sender) != said.sender:
            return None, False
        self._note_number(mark, said)
        if self._dialect.fixed_frame:
            before, _, after = record.partition(said.text)
            self._frames[mark.talker] = before, after
        return mark, True

    def _note_number(self, mark: Mark, said: Said) -> None:
        """A message that comes in its turn has to be numbered above the one before it. By how much
        nobody here can tell: those who come and go have numbers too.
        """
        if said.seq is None or mark.number < self.next_number.get(mark.talker, 0):
            return
        if said.seq <= self._seq:
            self.faults.records[self.count] = "reordered"
        self._seq = said.seq

    @property
    def outstanding(self) -> int:
        """How many messages are expected and have not come yet."""
        return len(self._expected)

    def forget_unheard(self) -> None:
        """Expect no more of what was said before the witness came in: none of it will come."""
        numbers = self.next_number
        self._expected = {
            text: mark
            for text, mark in self._expected.items()
            if mark.number >= numbers.get(mark.talker, 0)
        }

    def give_up(self) -> int:
        """Count all that is expected as heard; returns how many messages these are."""
        before = self.own_messages
        for mark in self._expected.values():
            self._count_own(key_of(mark), given_up=True)
        self._expected.clear()
        return self.own_messages - before

    def _count_own(self, key: int, *, given_up: bool = False) -> None:
        if key not in self._given_up:
            self.own_messages += 1
        if given_up:
            self._given_up.add(key)

    def _in_turn(self, mark: Mark, *, own: bool) -> int:
        """The key of a message; `OTHER`, and a fault noted, if it came double or after its turn."""
        key = key_of(mark)
        # The first talker calls the roll: the witness may enter between two of its messages. The
        # others talk only when everyone is in.
        first = mark.number if mark.talker == ROLL_CALLER else 0
        expected = self.next_number.get(mark.talker, first)
        if mark.number < expected:
            if self.faults.absent.pop(key, None) is None:
                self.faults.records[self.count] = "doubled"
            else:
                self.faults.records[self.count] = "reordered"
                self.faults.late.add(key)
            return OTHER
        for number in range(expected, mark.number):
            missing = key_of(Mark(mark.talker, number, 0))
            self.faults.absent[missing] = self.count
            if own:
                self._count_own(missing, given_up=True)
        return self._next(mark)

    def _next(self, mark: Mark) -> int:
        """The key of a message in its turn."""
        talker, number, due_us = mark
        key = talker << TALKER_SHIFT | number
        self.next_number[talker] = number + 1
        self.messages += 1
        if self._digest_from_us is not None and due_us >= self._digest_from_us:
            self._digest(key)
        return key

    def read(self, record: bytes | bytearray) -> Mark | None:
        """The message in a record; None if there is none, or it is damaged or someone else's."""
        said = self._dialect.said(record)
        if said is None or (mark := self._payload.read(said.text)) is None:
            return None
        # A talker has one name: a name with a flipped bit is noticed too.
        if self._senders.setdefault(mark.talker, said.sender) != said.sender:
            return None
        return mark

    def records_before(self, offset: int, index: int) -> int:
        """How many records end at or before an absolute offset; at least `index`, known before."""
        stop = self.first + bisect_right(self.ends, offset, index - self.first)
        self.asked_end, self.asked_stop = offset, stop
        return stop

    def start_of(self, index: int) -> int:
        """The absolute offset at which a record begins, or will."""
        return self.ends[index - self.first - 1] if index > self.first else self.base

    def end_of_records(self) -> int:
        """The absolute offset of what may be the beginning of the next record."""
        return self.start_of(self.count)

    def between(self, start: int, stop: int) -> bytes:
        """The bytes between two absolute offsets, which are kept."""
        return bytes(self.content[start - self.base : stop - self.base])

    def record(self, index: int) -> bytes:
        """The bytes of a record that is kept."""
        return self.between(self.start_of(index), self.ends[index - self.first])

    def is_to_come(self, mark: Mark) -> bool:
        """Has the witness not heard this message nor a later one of its talker yet?"""
        return mark.number >= self.next_number.get(mark.talker, 0)

    def find(self, key: int, index: int) -> int | None:
        """The record with this key at or after `index`, if it is there already."""
        try:
            return self.first + self.keys.index(key, max(0, index - self.first))
        except ValueError:
            return None

    def trim(self, index: int) -> None:
        """Forget the records before `index`."""
        if (surplus := index - self.first) <= 0:
            return
        cut = self.ends[surplus - 1]
        del self.content[: cut - self.base]
        del self.ends[:surplus], self.keys[:surplus], self.groups[:surplus]
        self.base, self.first = cut, index
