"""Planted in the feed's listeners."""

from tests.mutants.mutant import Mutant

_TESTS = (
    "tests/feed/test_reassembly.py",
    "tests/feed/test_missing.py",
    "tests/feed/test_forged.py",
    "tests/feed/test_seal.py",
)

_OF_TWO = ("tests/feed/test_two_lines.py",)

REASSEMBLY = (
    Mutant(
        "what comes early is delivered before what is missing",
        "chatroom/feed/stream.py",
        "sequence == self.expected == self.end:",
        "sequence == self.end:",
        _TESTS,
    ),
    Mutant(
        "an answer tells of numbers that nobody has sent",
        "chatroom/feed/stream.py",
        "messages = messages[: max(0, self.end - sequence)]",
        "pass",
        _TESTS,
    ),
    Mutant(
        "a number that has come is still missing",
        "chatroom/feed/missing.py",
        "replace(stretch, first=sequence + 1)",
        "replace(stretch, first=sequence)",
        _TESTS,
    ),
    Mutant(
        "the number behind a hole is missing",
        "chatroom/feed/missing.py",
        "sequence >= self._stretches[index].end",
        "sequence > self._stretches[index].end",
        _TESTS,
    ),
    Mutant(
        "what is missing is lost at once",
        "chatroom/feed/stream.py",
        "elif self._missing[0].given_up:",
        "elif True:",
        _TESTS,
    ),
    Mutant(
        "nothing is given up",
        "chatroom/feed/stream.py",
        "            stretch.given_up, stretch.due = True, inf\n",
        "            stretch.due = inf\n",
        _TESTS,
    ),
    Mutant(
        "one packet of another session takes over",
        "chatroom/feed/reassembly.py",
        "if now - self._heard_at < SESSION_SILENCE_SECONDS:",
        "if False:",
        _TESTS,
    ),
    Mutant(
        "a source that is another's is believed",
        "chatroom/feed/reassembly.py",
        "elif self._keyring is None and self._sources[line].is_another(source, now):",
        "elif False:",
        _TESTS,
    ),
    Mutant(
        "a loss is reported one short",
        "chatroom/feed/stream.py",
        "self.outcomes.append(Lost(first, stretch.end - 1))",
        "self.outcomes.append(Lost(first, stretch.end - 2))",
        _TESTS,
    ),
    Mutant(
        "a forged number is never found out",
        "chatroom/feed/missing.py",
        "last.end = min(last.end, end)",
        "pass",
        _TESTS,
    ),
    Mutant(
        "the buffer has no bound",
        "chatroom/feed/stream.py",
        "number - self.expected < BUFFER_MESSAGES",
        "True",
        _TESTS,
    ),
    Mutant(
        "the end comes before the last message",
        "chatroom/feed/reassembly.py",
        "and stream.expected == stream.end == end:",
        "and stream.end == end:",
        _TESTS,
    ),
    Mutant(
        "a server that ends alone ends the session of two",
        "chatroom/feed/reassembly.py",
        "None if goes_on else max(self._ends.values())",
        "max(self._ends.values())",
        _OF_TWO,
    ),
    Mutant(
        "a group that is behind contradicts the other",
        "chatroom/feed/stream.py",
        "said = max(lowest, default=-1)",
        "said = min(lowest, default=-1)",
        _OF_TWO,
    ),
    Mutant(
        "who does not answer is asked alone, again and again",
        "chatroom/feed/listener.py",
        "if request.tries == 1 and lines:",
        "if lines:",
        _OF_TWO,
    ),
)
