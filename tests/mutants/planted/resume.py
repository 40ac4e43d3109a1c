"""Planted in who comes back."""

from tests.mutants.mutant import Mutant

_TESTS = ("tests/journal/test_resuming.py", "tests/server/test_resuming.py")
_TESTS_2 = (
    "tests/client/test_resume_state.py",
    "tests/client/test_resuming.py",
    "tests/client/test_coming_back.py",
    "tests/client/test_outstanding.py",
    "tests/client/test_outages.py",
)

RESUME = (
    Mutant(
        "another session's numbers are believed",
        "chatroom/server/turn/replay.py",
        "known = after <= self._room.seq and (session is None or self._journal.knows(session))",
        "known = after <= self._room.seq",
        _TESTS,
    ),
    Mutant(
        "numbers from the future are believed",
        "chatroom/server/turn/replay.py",
        "known = after <= self._room.seq and (session",
        "known = (session",
        _TESTS,
    ),
    Mutant(
        "one event is lost between disk and memory",
        "chatroom/server/turn/replay.py",
        "after + 1 < recent.first_seq",
        "after + 2 < recent.first_seq",
        _TESTS,
    ),
    Mutant(
        "a gap is replayed from its beginning",
        "chatroom/server/turn/replay.py",
        "last.last if isinstance(last, Gap)",
        "last.first if isinstance(last, Gap)",
        _TESTS,
    ),
    Mutant(
        "what was missed is not said",
        "chatroom/server/turn/replay.py",
        "if known and not missed:",
        "if known:",
        _TESTS,
    ),
    Mutant(
        "a client takes an event twice",
        "chatroom/client/resume.py",
        "        if seq <= self.after:\n            return False",
        "        if seq < self.after:\n            return False",
        _TESTS_2,
    ),
    Mutant(
        "a client resumes behind what it has not been acked",
        "chatroom/client/resume.py",
        "min(self.after, lowest)",
        "self.after",
        _TESTS_2,
    ),
    Mutant(
        "a client's own events come twice",
        "chatroom/client/resume.py",
        "        return not ours",
        "        return True",
        _TESTS_2,
    ),
    Mutant(
        "an ack hides what came before it",
        "chatroom/client/resume.py",
        "        heappush(self._own, seq)\n",
        "        self.after = seq\n",
        _TESTS_2,
    ),
    Mutant(
        "what an operator has deleted is said again",
        "chatroom/client/request.py",
        'event.text in ("", make_safe(str(self.fields["text"])))',
        'event.text == make_safe(str(self.fields["text"]))',
        ("tests/client/test_unconfirmed.py",),
    ),
    Mutant(
        "the page says again what an operator has deleted",
        "chatroom/web/page/statements.js",
        "return text === event.text || !event.text;",
        "return text === event.text;",
        ("tests/web/page/test_parts.py",),
    ),
    Mutant(
        "the page looks for what it said as somebody else under its old name",
        "chatroom/web/page/statements.js",
        "      this.#doubtfulNick = event.to;\n",
        "",
        ("tests/web/page/test_parts.py",),
    ),
)
