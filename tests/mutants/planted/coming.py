"""Planted in how clients come in, come back, and are kept from saying too much."""

from tests.mutants.mutant import Mutant

_GREETING = ("tests/server/test_greeting.py", "tests/server/test_expecting.py")

_RESUMING = ("tests/server/test_catching_up.py", "tests/server/test_resuming.py")
_LOG_IN = ("tests/access/test_log_in.py",)
_PACING = ("tests/server/test_pacing.py",)

COMING = (
    Mutant(
        "who is gone while the disk is read hears the room",
        "chatroom/server/turn/replay.py",
        "                if connection.close_reason is not None:\n                    return\n",
        "",
        _RESUMING,
    ),
    Mutant(
        "what follows a gap is begun at its first number",
        "chatroom/server/turn/replay.py",
        "last.last if isinstance(last, Gap)",
        "last.first if isinstance(last, Gap)",
        _RESUMING,
    ),
    Mutant(
        "who comes back is not told that joins are not announced",
        "chatroom/server/turn/replay.py",
        "            self._presence.tell_newcomer(connection)\n",
        "",
        _RESUMING,
    ),
    Mutant(
        "who resumes late hears the room before it has caught up",
        "chatroom/server/turn/admission.py",
        "if heard and speaks.goes_on:",
        "if heard:",
        _RESUMING,
    ),
    Mutant(
        "a failed log-in gives more time",
        "chatroom/server/turn/gate.py",
        "if connection not in self._outside:",
        "if True:",
        _LOG_IN,
    ),
    Mutant(
        "who tries too fast has failed once more",
        "chatroom/server/turn/gate.py",
        'if refused.code == "login_failed":',
        "if True:",
        _LOG_IN,
    ),
    Mutant(
        "who logs in later hears everything twice",
        "chatroom/server/turn/admission.py",
        "self._fanout.leave(connection)  # one hears",
        "pass  # one hears",
        _LOG_IN,
    ),
    Mutant(
        "questions wait for the room's ceiling",
        "chatroom/server/serving/pacing.py",
        "if sort == TALK and ceiling is not None and not ceiling.take_nowait(now):",
        "if ceiling is not None and not ceiling.take_nowait(now):",
        _PACING,
    ),
    Mutant(
        "who has waited is kept",
        "chatroom/server/serving/pacing.py",
        "            del self._waiting[connection]\n",
        "",
        _PACING,
    ),
    Mutant(
        "newcomers have no end",
        "chatroom/server/serving/acceptor.py",
        "for _ in range(ACCEPT_BATCH):",
        "while True:",
        ("tests/server/test_acceptor.py",),
    ),
    Mutant(
        "who goes before the log has taken it in stays in the room",
        "chatroom/server/turn/endings.py",
        "if connection.inside or self._order.is_pending(connection):",
        "if connection.inside:",
        ("tests/cluster/test_one_room.py",),
    ),
    Mutant(
        "a server goes back to numbers that it has passed",
        "chatroom/server/cluster/numbering.py",
        "if session != self._strange and seq >= self.last:",
        "if session != self._strange:",
        ("tests/cluster/test_sessions.py",),
    ),
    Mutant(
        "who has spoken in time is let in as silent too",
        "chatroom/server/serving/taskless.py",
        "        elif self._expecting.discard(line):\n",
        "        elif line in self._expecting._until:\n",
        _GREETING,
    ),
    Mutant(
        "who says more while it is greeted is looked at without end",
        "chatroom/server/serving/taskless.py",
        "            self._idle.remove(line.descriptor)  # it comes back when it is settled\n",
        "            pass\n",
        _GREETING,
    ),
    Mutant(
        "who is made to end while it is greeted is served twice",
        "chatroom/server/serving/taskless.py",
        "        if self._greeted is not None and line in self._greeted:\n            return",
        "        if False:\n            return",
        _GREETING,
    ),
    Mutant(
        "who is overdue and has gone meanwhile is let in",
        "chatroom/server/serving/expecting.py",
        "            if self.discard(newcomer):",
        "            if self.discard(newcomer) or True:",
        _GREETING,
    ),
)
