"""Planted in what everybody is sent."""

from tests.mutants.mutant import Mutant

FANOUT = (
    Mutant(
        "a message comes back to its author",
        "chatroom/server/audience.py",
        "besides is not None and besides.audience is self",
        "besides is None",
        ("tests/server",),
    ),
    Mutant(
        "an answer between an author's lines is swallowed",
        "chatroom/server/audience.py",
        "elif edits[-1][1] == start and not edits[-1][2]:",
        "elif edits[-1][1] == start:",
        ("tests/server",),
    ),
    Mutant(
        "a newcomer hears the batch that it came in with",
        "chatroom/server/audience.py",
        "        if self.length:\n            self.edits[connection]",
        "        if False:\n            self.edits[connection]",
        ("tests/server",),
    ),
    Mutant(
        "who goes takes another's way out along",
        "chatroom/server/audience.py",
        "self.connections[last.slot], self.sends[last.slot] = last, send",
        "self.connections[last.slot] = last",
        ("tests/server",),
    ),
    Mutant(
        "who got an edit once gets no batch any more",
        "chatroom/server/audience.py",
        "sends = sends.copy()",
        "pass",
        ("tests/server",),
    ),
    Mutant(
        "what a full socket does not take is forgotten",
        "chatroom/server/audience.py",
        "                sent_bytes = 0\n",
        "                sent_bytes = size_bytes\n",
        ("tests/server",),
    ),
    Mutant(
        "half a send is taken for a whole one",
        "chatroom/server/audience.py",
        "if sent_bytes != size_bytes:",
        "if not sent_bytes:",
        ("tests/server",),
    ),
    Mutant(
        "what was cut out is sent all the same",
        "chatroom/server/audience.py",
        "        position = end\n",
        "        position = start\n",
        ("tests/server",),
    ),
    Mutant(
        "who wants its own does not get them",
        "chatroom/server/fanout.py",
        "and event.kind in author.own",
        "and event.kind not in author.own",
        ("tests/server",),
    ),
    Mutant(
        "the feed's first number is the batch's last",
        "chatroom/server/fanout.py",
        "            if not self._for_feed:\n                self._first_seq",
        "            if True:\n                self._first_seq",
        ("tests/feed", "tests/server"),
    ),
    Mutant(
        "the last JSON reader to go takes the journal's JSON along",
        "chatroom/server/fanout.py",
        "self._encodes = self._keeps_json or of_json",
        "self._encodes = of_json",
        ("tests/journal", "tests/server"),
    ),
    Mutant(
        "who leaves does not get the last batch",
        "chatroom/server/audience.py",
        "self._push(connection, batch if edits is None else splice(batch, edits))",
        "pass",
        ("tests/server",),
    ),
)
