"""What is known about one reader's stream, and the fast path of the audit.

It is `Follower.hear`: one `startswith` (a memcmp) for each chunk, then one addition for each group
of messages in it. Nothing is done for each message and reader. It is one method of one class,
because calls of partials and closures cost three times as much: 1 µs a chunk in all, over the
2.5 µs of epoll and `recv`.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from chatroom.swarm.audit.transcript import NO_DUE_US, DueGroup, Transcript

#: `clear_until` of a reader without own messages ahead: no offset is beyond it.
NEVER = 1 << 62


class Judge(Protocol):
    """Who deals with what a reader cannot follow by itself: the audit."""

    deliveries: int

    def receive(self, reader: Follower, at_us: int, chunk: memoryview | bytes, /) -> None:
        """Something that is not in the transcript, or not yet. Never raises."""

    def pass_own(self, reader: Follower, /) -> None:
        """Go over a talker's own messages, where it has come to them."""


class Follower:
    """Where a reader stands in the transcript, and what was wrong so far.

    Args:
        name: for the report.
        talker: its number if it talks and does not get its own messages back, else None.
    """

    __slots__ = (
        "_judge",
        "_script",
        "altered",
        "clear_until",
        "doubled",
        "early",
        "echoed",
        "gone",
        "index",
        "last_notice",
        "missing",
        "name",
        "own",
        "partial",
        "pending",
        "position",
        "reordered",
        "skipped",
        "started_at",
        "talker",
        "unreached",
    )

    def __init__(self, name: str, talker: int | None = None) -> None:
        self.name = name
        self.talker = talker
        self.position = 0  #: absolute offset up to which its stream and the transcript agree
        self.index = 0  #: the record in which that is: all before it were received or skipped
        #: Up to here its stream should be the transcript, byte for byte; -1: it is out of step.
        self.clear_until = -1
        self.started_at: int | None = None  #: the first record that it must have
        #: Its own messages that it has not passed yet: runs of records, first and behind the last.
        self.own: deque[tuple[int, int]] = deque()
        self.partial = b""  #: an incomplete record, while it is out of step
        self.pending: deque[tuple[int, bytes]] = deque()  #: received before the witness had it
        self.missing: dict[int, DueGroup] = {}  #: keys passed over so far
        self.early: set[int] = set()  #: keys received before their turn, or unknown to the witness
        self.skipped: set[int] = (
            set()
        )  #: the witness's faulty records that this reader did not have
        self.doubled = 0
        self.reordered = 0
        self.altered = 0
        self.echoed = 0
        self.last_notice = b""  #: the last line that is no message
        self.gone = ""  #: why its connection ended, if it did
        self._judge: Judge
        self._script: Transcript
        self.unreached = 0  #: when that was: messages that it lacked, less those so far

    def join(self, judge: Judge, script: Transcript) -> None:
        """Be held against a transcript from now on."""
        self._judge, self._script = judge, script

    def hear(self, at_us: int, chunk: memoryview | bytes) -> None:
        """Take what was received at `at_us` on the monotonic clock. Never raises."""
        script = self._script
        start = self.position
        end = start + len(chunk)
        if (
            end > script.end
            or end > self.clear_until
            or not script.content.startswith(chunk, start - script.base)
        ):
            self._judge.receive(self, at_us, chunk)
            return
        self.position = end
        # Most readers come to where the one before has come to.
        known = end == script.asked_end
        self.advance(at_us, script.asked_stop if known else script.records_before(end, self.index))
        if self.own:
            self._judge.pass_own(self)

    def advance(self, at_us: int, stop: int) -> None:
        """All records before `stop` have been received: count their latencies."""
        index, script = self.index, self._script
        if stop <= index:
            return
        self.index = stop
        groups, first = script.groups, script.first
        while index < stop:
            group = groups[index - first]
            until = group.end if group.end < stop else stop
            group.counts[at_us - group.due_us] += until - index
            if group.due_us != NO_DUE_US:
                self._judge.deliveries += until - index
            index = until
