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
        "chatroom/feed/sessions.py",
        "if not is_over and any(source.is_heard(now) for source in self.sources.values()):",
        "if False:",
        _TESTS,
    ),
    Mutant(
        "a source that is another's is believed",
        "chatroom/feed/sessions.py",
        "return not self.sources[line].is_another(source, now)",
        "return True",
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
        "chatroom/feed/ends.py",
        "holds = bool(self.said) and not heard",
        "holds = bool(self.said)",
        _OF_TWO,
    ),
    Mutant(
        "a server that ends alone on a group of two ends the session",
        "chatroom/feed/ends.py",
        "return [*followed, *self._others.items()]",
        "return followed",
        _OF_TWO,
    ),
    Mutant(
        "an end that another server holds back is never told",
        "chatroom/feed/reassembly.py",
        "if self._ends.deadline <= now:",
        "if False:",
        _OF_TWO,
    ),
    Mutant(
        "what was sealed in another session has it followed",
        "chatroom/feed/sessions.py",
        "    def begun_by(self, packet: mold.Packet, now: float, *, is_over: bool)"
        " -> Beginning | None:\n        return None\n",
        "    def begun_by(self, packet: mold.Packet, now: float, *, is_over: bool)"
        " -> Beginning | None:\n        return Beginning(packet.session, packet.sequence)\n",
        _TESTS,
    ),
    Mutant(
        "the server that spoke last is followed, though it is behind",
        "chatroom/feed/sessions.py",
        "is_later = before == self.session or introduction.first > self._first",
        "is_later = True",
        _TESTS,
    ),
    Mutant(
        "a server's new word is not taken",
        "chatroom/feed/sessions.py",
        "before == self.session or introduction.first > self._first",
        "introduction.first > self._first",
        _TESTS,
    ),
    Mutant(
        "keys outlive the session that they sealed",
        "chatroom/feed/broadcast.py",
        "        self.revoke_keys()\n        self._store",
        "        self._store",
        ("tests/feed/test_live_feed.py",),
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
