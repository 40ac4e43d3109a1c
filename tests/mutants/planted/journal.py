"""Planted in what is on the disk."""

from tests.mutants.mutant import Mutant

_TESTS = ("tests/journal",)

JOURNAL = (
    Mutant(
        "a hole is not recorded",
        "chatroom/journal/store.py",
        "self._note_gap(events[start].seq - 1)",
        "self.written_to = events[start].seq - 1",
        _TESTS,
    ),
    Mutant(
        "what went into a deleted file counts as stored",
        "chatroom/journal/store.py",
        "            self._file.check(self._session)\n        except FileGoneError:  # what",
        "            pass\n        except FileGoneError:  # what",
        _TESTS,
    ),
    Mutant(
        "what was refused comes back with the file",
        "chatroom/journal/store.py",
        "            if self._surplus:\n                self._remove_surplus()\n            for",
        "            for",
        _TESTS,
    ),
    Mutant(
        "a crash goes on with the session",
        "chatroom/journal/store.py",
        "if not following and (not clean or not sessions(self.connection)):",
        "if not following and not sessions(self.connection):",
        _TESTS,
    ),
    Mutant(
        "what a crash has lost is no gap",
        "chatroom/journal/store.py",
        "            self._note_gap(last_seq)\n            if not following and",
        "            if not following and",
        _TESTS,
    ),
    Mutant(
        "what was not written is acked",
        "chatroom/journal/writer.py",
        "self._done(group, written=False)",
        "self._done(group, written=True)",
        _TESTS,
    ),
    Mutant(
        "an ack does not wait for the sync",
        "chatroom/journal/store.py",
        "with self.transaction(sync=self._durability is Durability.POWER):",
        "with self.transaction(sync=False):",
        _TESTS,
    ),
    Mutant(
        "ranges that touch stay two",
        "chatroom/journal/ranges.py",
        "first - 1, key=",
        "first, key=",
        _TESTS,
    ),
    Mutant(
        "a range is counted without its last number",
        "chatroom/journal/ranges.py",
        "- max(first, low) + 1)",
        "- max(first, low))",
        _TESTS,
    ),
    Mutant(
        "numbers are not reserved ahead",
        "chatroom/journal/store.py",
        "if used < self._reserved_events // 2:",
        "if True:",
        _TESTS,
    ),
    Mutant(
        "a number is told that is not marked as given out",
        "chatroom/server/fanout/fanout.py",
        "        self._give_out(event.seq)\n",
        "",
        _TESTS,
    ),
    Mutant(
        "a mark below what is on the disk is believed",
        "chatroom/journal/mark.py",
        "if written_to <= number < _MOST:",
        "if True:",
        _TESTS,
    ),
    Mutant(
        "a clean end looks like a crash",
        "chatroom/journal/store.py",
        "SET clean = 1, reserved_to",
        "SET clean = 0, reserved_to",
        _TESTS,
    ),
    Mutant(
        "somebody else's file is overwritten",
        "chatroom/journal/holding.py",
        "if self.path.exists() and self.path.stat().st_size > 0:",
        "if False:",
        _TESTS,
    ),
    Mutant(
        "a disk that is well again is not noticed in silence",
        "chatroom/journal/writer.py",
        "        self._succeeded()\n\n    def _copy_log",
        "        return\n\n    def _copy_log",
        _TESTS,
    ),
    Mutant(
        "a log that was shortened while we wrote to it is taken for whole",
        "chatroom/journal/seal.py",
        " or self.has_hole:",
        ":",
        ("tests/journal/test_tampering.py",),
    ),
)
