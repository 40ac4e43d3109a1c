"""The audit's judgement after the last byte: what is wrong with each reader's stream."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

from chatroom.swarm.audit.audit import Audit
from chatroom.swarm.audit.follower import Follower
from chatroom.swarm.audit.transcript import ROLL_CALLER, key_of, talker_of
from chatroom.swarm.figures.verdict import NAMED, Faults, ReaderFaults, Verdict
from chatroom.swarm.wire.payload import Mark


def judge(audit: Audit, sent: Mapping[int, int]) -> Verdict:
    """The verdict after the last byte. `sent` is how many messages each talker has sent."""
    audit.finish()
    script = audit.transcript
    for talker, count in sent.items():
        heard = script.next_number.get(talker)
        # Of a roll caller whom the witness never heard nothing can be said but that.
        start = 0 if heard is None and talker != ROLL_CALLER else count if heard is None else heard
        for number in range(start, count):
            script.faults.absent[key_of(Mark(talker, number, 0))] = script.count
    absent = _Absent(audit)
    all_faults, bad = Faults(), []
    for reader in audit.readers:
        faults = _faults_of(audit, reader, absent)
        all_faults.add(faults)
        if faults.total() or reader.gone:
            bad.append(ReaderFaults(reader.name, faults, reader.gone))
    bad.sort(key=lambda entry: -entry.faults.total())
    return Verdict(
        readers=len(audit.readers),
        messages=script.messages,
        faults=all_faults,
        disconnected=sum(bool(reader.gone) for reader in audit.readers),
        worst=bad[:NAMED],
        order_digest=script.order_digest,
    )


class _Absent:
    """The messages that the witness lacks, for asking quickly how many of them a reader lacks."""

    def __init__(self, audit: Audit) -> None:
        self._absent = audit.transcript.faults.absent
        self._places = sorted(self._absent.values())
        self._by_talker = Counter(talker_of(key) for key in self._absent)

    def for_reader(self, reader: Follower) -> int:
        """How many of them this reader lacks too."""
        if reader.started_at is None:
            return 0
        count = len(self._places) - bisect_left(self._places, reader.started_at)
        if reader.talker is not None:
            count -= self._by_talker[reader.talker]
        return count - sum(key in self._absent for key in reader.early)


def _faults_of(audit: Audit, reader: Follower, absent: _Absent) -> Faults:
    script = audit.transcript
    if reader.started_at is None:
        return Faults(lost=script.messages)
    # Whoever had the same bytes as the witness had the same faults.
    shared = Counter(
        kind
        for index, kind in script.faults.records.items()
        if reader.started_at <= index < reader.index and index not in reader.skipped
    )
    # What came altered to the witness is absent too: it counts once.
    absent_too = max(0, absent.for_reader(reader) - shared["altered"])
    faults = Faults(
        lost=len(reader.missing) + audit.lacking(reader) + absent_too,
        doubled=reader.doubled,
        reordered=reader.reordered,
        altered=reader.altered,
        echoed=reader.echoed,
    )
    for kind, count in shared.items():
        setattr(faults, kind, getattr(faults, kind) + count)
    return faults
