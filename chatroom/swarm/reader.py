"""What is known about one reader's stream."""

from __future__ import annotations

from collections import deque

from chatroom.swarm.transcript import Group

#: `clear_until` of a reader without own messages ahead: no offset is beyond it.
NEVER = 1 << 62


class Reader:
    """Where a reader stands in the transcript, and what was wrong so far.

    Args:
        name: for the report.
        talker: its number if it talks and does not get its own messages back, else None.
    """

    __slots__ = (
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
        self.missing: dict[int, Group] = {}  #: keys passed over so far
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
        self.unreached = 0  #: when that was: messages that it lacked, less those so far
