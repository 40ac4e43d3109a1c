"""Holds every reader's stream against the witness's, byte for byte, and counts the deliveries.

The fast path is `Follower.hear`. What it does not understand comes here: what the witness hears
goes on the transcript, and what others hear goes to `_puzzle`, which goes record by record, names
the fault, and finds the way back into step, so that one lost message costs one slow chunk.
"""

from __future__ import annotations

from chatroom.swarm.audit.follower import Follower
from chatroom.swarm.audit.positions import Positions
from chatroom.swarm.audit.transcript import OTHER, key_of, talker_of
from chatroom.swarm.wire.payload import Mark


class Audit(Positions):
    """The verdict on every byte that a reader of this process receives. No I/O."""

    def receive(self, reader: Follower, at_us: int, chunk: memoryview | bytes) -> None:
        """Take what a reader received that is not in the transcript: not yet, or not there, or it
        is the witness who says what is in the transcript.
        """
        if reader is self.witness:
            self._extend(at_us, chunk)
        elif not self.witness.gone:  # else there is nothing to hold it against
            reader.pending.append((at_us, bytes(chunk)))
            self._settle(reader)

    def _extend(self, at_us: int, chunk: memoryview | bytes) -> None:
        """The witness's stream goes on: it is right by definition, its faults are noted apart."""
        script, witness = self.transcript, self.witness
        before = script.count
        script.append(chunk)
        witness.position = script.end
        witness.advance(at_us, script.count)
        if self._talkers:
            self._note_talk(before)
        for reader in list(self._ahead):
            self._settle(reader)

    # The slow path.

    def _settle(self, reader: Follower, *, final: bool = False) -> None:
        """Judge a reader's pending bytes as far as the transcript goes; if `final`, all of them."""
        while reader.pending:
            at_us, data = reader.pending.popleft()
            data, reader.partial = reader.partial + data, b""
            if rest := self._puzzle(reader, at_us, data, final=final):
                reader.pending.appendleft((at_us, rest))
                reader.clear_until = -1
                self._ahead.add(reader)
                return
        self._ahead.discard(reader)
        if reader.partial or reader.started_at is None:
            reader.clear_until = -1
        else:
            self._mark_clear(reader)

    def _puzzle(self, reader: Follower, at_us: int, data: bytes, *, final: bool) -> bytes:
        """Go through `data`, in step where that is possible; what is ahead of all is left."""
        script, at = self.transcript, 0
        if reader.started_at is None:
            at = self._find_start(reader, data)
        while at < len(data) and reader.started_at is not None:
            self.pass_own(reader)
            clear = script.start_of(reader.own[0][0]) if reader.own else script.end
            length = max(0, min(len(data) - at, clear - reader.position))
            if agreed := self._agreed(reader.position, memoryview(data)[at : at + length]):
                at += agreed
                reader.position += agreed
                reader.advance(at_us, script.records_before(reader.position, reader.index))
                if agreed == length:
                    continue
            # Not in step: back to the record's beginning, and judge that record by itself.
            start = script.start_of(reader.index)
            data, at = script.between(start, reader.position) + data[at:], 0
            reader.position = start
            if not final and self._exhausted(reader):
                self._pass_over(reader, script.count)
                reader.position = script.end_of_records()
                break
            at = self._dialect.record_end(data, 0)
            if not at:
                reader.partial = data
                return b""
            if not self._judge(reader, at_us, data[:at], final=final):
                at = 0
                break
        return data[at:]

    def _agreed(self, position: int, data: memoryview) -> int:
        """How many of the bytes are those of the transcript at `position`."""
        content, start = self.transcript.content, position - self.transcript.base
        if content.startswith(data, start):
            return len(data)
        least, most = 0, len(data) - 1  # halved: a comparison of many bytes is one memcmp
        while least < most:
            middle = (least + most + 1) // 2
            if content.startswith(data[:middle], start):
                least = middle
            else:
                most = middle - 1
        return least

    def _find_start(self, reader: Follower, data: bytes) -> int:
        """A reader's first message that the transcript knows is where its audit begins."""
        script, start = self.transcript, 0
        while stop := self._dialect.record_end(data, start):
            mark = script.read(data[start:stop])
            if mark is None:
                self.note(reader, data[start:stop])
            elif (index := script.find(key_of(mark), 0)) is not None:
                self.start(reader, index)
                return start
            elif script.is_to_come(mark):
                return start
            start = stop
        reader.partial = data[start:]
        return len(data)

    def _judge(self, reader: Follower, at_us: int, record: bytes, *, final: bool) -> bool:
        """One record of a reader who is out of step; False: the witness may have it yet to come."""
        script = self.transcript
        mark = script.read(record)
        if not final and mark is not None and script.is_to_come(mark):
            return False
        while reader.index < script.count:
            own = talker_of(script.keys[reader.index - script.first]) == reader.talker
            if not own and script.record(reader.index) == record:
                reader.advance(at_us, reader.index + 1)
                break
            if not self._may_skip(reader):
                self._judge_other(reader, at_us, record, mark)
                break
            reader.index += 1
        else:
            self._judge_other(reader, at_us, record, mark)
        reader.position = script.start_of(reader.index)
        return True

    def _judge_other(self, reader: Follower, at_us: int, record: bytes, mark: Mark | None) -> None:
        """A record that is not the one that was due."""
        if mark is None:
            self._judge_unreadable(reader, record)
        elif mark.talker == reader.talker:
            reader.echoed += 1
        else:
            self._judge_message(reader, at_us, mark)

    def _exhausted(self, reader: Follower) -> bool:
        """Is there nothing left in the transcript that this reader must have?"""
        script = self.transcript
        return all(
            key == OTHER or key in reader.early or talker_of(key) == reader.talker
            for key in script.keys[reader.index - script.first :]
        )

    def _judge_unreadable(self, reader: Follower, record: bytes) -> None:
        script = self.transcript
        if not self._payload.left_traces_in(record):
            self.note(reader, record)
            return
        reader.altered += 1
        # Of the same length as what was due: taken for it, so that one fault counts once.
        if reader.index < script.count and len(script.record(reader.index)) == len(record):
            reader.index += 1

    def _judge_message(self, reader: Follower, at_us: int, mark: Mark) -> None:
        script, key = self.transcript, key_of(mark)
        index = script.find(key, reader.index)
        counts = self._timeline.at(mark.due_us).counts
        if index == reader.index:
            reader.altered += 1  # its text is right, what stands around it is not
            reader.index = index + 1
        elif index is not None:
            self._pass_over(reader, index)
            reader.advance(at_us, index + 1)
        elif key in reader.missing:
            del reader.missing[key]
            reader.reordered += 1
            counts[at_us - mark.due_us] += 1
        elif key not in reader.early and (
            key in script.faults.absent or key in script.faults.late or script.is_to_come(mark)
        ):
            reader.early.add(key)
            counts[at_us - mark.due_us] += 1
        else:
            reader.doubled += 1

    def finish(self) -> None:
        """No more bytes will come: judge what is still pending."""
        for reader in list(self._ahead):
            self._settle(reader, final=True)
        for reader in self.readers:
            while reader.early and reader.index < self.transcript.count:
                if not self._may_skip(reader):
                    break
                reader.index += 1
