"""Planted in what everybody is sent."""

from tests.mutants.mutant import Mutant

_TESTS = (
    "tests/server/test_audience.py",
    "tests/server/test_broadcaster.py",
    "tests/server/test_conversation_json.py",
    "tests/server/test_conversation_plain.py",
    "tests/server/test_one_order.py",
    "tests/server/test_catching_up.py",
    "tests/server/test_inlet.py",
    "tests/server/test_endings.py",
)
_TESTS_2 = ("tests/feed/test_live_feed.py", "tests/feed/test_sender.py")

FANOUT = (
    Mutant(
        "a message comes back to its author",
        "chatroom/server/fanout/audience.py",
        "besides is not None and besides.audience is self",
        "besides is None",
        _TESTS,
    ),
    Mutant(
        "an answer between an author's lines is swallowed",
        "chatroom/server/fanout/audience.py",
        "elif edits[-1][1] == start and not edits[-1][2]:",
        "elif edits[-1][1] == start:",
        _TESTS,
    ),
    Mutant(
        "a newcomer hears the batch that it came in with",
        "chatroom/server/fanout/audience.py",
        "        if self.length:\n            self.edits[connection]",
        "        if False:\n            self.edits[connection]",
        _TESTS,
    ),
    Mutant(
        "who goes takes another's way out along",
        "chatroom/server/fanout/audience.py",
        "self.connections[last.slot], self.sends[last.slot] = last, send",
        "self.connections[last.slot] = last",
        _TESTS,
    ),
    Mutant(
        "who got an edit once gets no batch any more",
        "chatroom/server/fanout/audience.py",
        "sends = sends.copy()",
        "pass",
        _TESTS,
    ),
    Mutant(
        "what a full socket does not take is forgotten",
        "chatroom/server/fanout/audience.py",
        "                sent_bytes = 0\n",
        "                sent_bytes = size_bytes\n",
        _TESTS,
    ),
    Mutant(
        "half a send is taken for a whole one",
        "chatroom/server/fanout/audience.py",
        "if sent_bytes != size_bytes:",
        "if not sent_bytes:",
        _TESTS,
    ),
    Mutant(
        "what was cut out is sent all the same",
        "chatroom/server/fanout/audience.py",
        "        position = end\n",
        "        position = start\n",
        _TESTS,
    ),
    Mutant(
        "who wants its own does not get them",
        "chatroom/server/fanout/fanout.py",
        "and event.kind in author.own",
        "and event.kind not in author.own",
        _TESTS,
    ),
    Mutant(
        "the feed's first number is the batch's last",
        "chatroom/server/fanout/fanout.py",
        "            if not self._for_feed:\n                self._first_seq",
        "            if True:\n                self._first_seq",
        _TESTS_2,
    ),
    Mutant(
        "the last JSON reader to go takes the journal's JSON along",
        "chatroom/server/fanout/fanout.py",
        "self._encodes = self._keeps_json or of_json",
        "self._encodes = of_json",
        ("tests/server/test_fanout.py",),
    ),
    Mutant(
        "who leaves does not get the last batch",
        "chatroom/server/fanout/audience.py",
        "self._push(connection, batch if edits is None else splice(batch, edits))",
        "pass",
        _TESTS,
    ),
)
