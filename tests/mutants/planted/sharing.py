"""Planted in what shares the processor: helpers that send, who is waited for awake, and floods."""

from tests.mutants.mutant import Mutant

_SENDERS = ("tests/server/test_senders.py",)
_POLL = ("tests/transport/test_busy_poll.py",)
_FLOODS = ("tests/protocol/test_sessions.py", "tests/protocol/irc")

SHARING = (
    Mutant(
        "a turn ends before its helpers",
        "chatroom/server/fanout/senders.py",
        "        with self._at_work:\n            pass\n",
        "        pass\n",
        _SENDERS,
    ),
    Mutant(
        "work piles up for a helper without a core",
        "chatroom/server/fanout/senders.py",
        "        if self._is_free:\n",
        "        if self.thread.is_alive():\n",
        _SENDERS,
    ),
    Mutant(
        "who is held up by a helper goes on with it",
        "chatroom/server/fanout/senders.py",
        "            self._alone = _ROUNDS_ALONE\n",
        "            self._alone = 0\n",
        _SENDERS,
    ),
    Mutant(
        "a helper stays on the core of the one that wakes it",
        "chatroom/server/fanout/elsewhere.py",
        "os.sched_getaffinity(0) - {core}",
        "os.sched_getaffinity(0)",
        _SENDERS,
    ),
    Mutant(
        "who answers at once is slept for",
        "chatroom/transport/busy_poll.py",
        "            self._quick += 1\n",
        "            self._quick = 1\n",
        _POLL,
    ),
    Mutant(
        "an awake wait keeps all others waiting",
        "chatroom/transport/busy_poll.py",
        "            await trio.lowlevel.checkpoint()\n",
        "",
        _POLL,
    ),
    Mutant(
        "an awake wait has no end",
        "chatroom/transport/busy_poll.py",
        "                    self._quick = 0\n                elif",
        "                    pass\n                elif",
        _POLL,
    ),
    Mutant(
        "a third one who speaks does not end it",
        "chatroom/transport/busy_poll.py",
        "            self._two = (transport, self._two[0])\n            self._quick = 0\n",
        "            self._two = (transport, self._two[0])\n",
        _POLL,
    ),
    Mutant(
        "what asks for nothing by IRC costs nothing",
        "chatroom/protocol/irc/session.py",
        "            client.drafts.append(NOTHING)\n",
        "            pass\n",
        _FLOODS,
    ),
    Mutant(
        "empty lines cost nothing",
        "chatroom/protocol/lines.py",
        "        group += [NOTHING] * times\n",
        "",
        _FLOODS,
    ),
    Mutant(
        "long names are prepared by the hundred",
        "chatroom/protocol/irc/session.py",
        "1 if has_spoken or line.isascii() else RENAME_WEIGHT",
        "1",
        _FLOODS,
    ),
    Mutant(
        "after a fault a helper begins another portion",
        "chatroom/server/fanout/senders.py",
        "            self._starts = _NONE_LEFT",
        "            pass",
        ("tests/server/test_senders.py",),
    ),
    Mutant(
        "a long answer is made in one go",
        "chatroom/server/turn/queries.py",
        "                    await trio.lowlevel.checkpoint()\n",
        "                    pass\n",
        ("tests/server/test_broadcaster.py",),
    ),
    Mutant(
        "everybody is told of in one turn",
        "chatroom/protocol/requests.py",
        'RENAME_WEIGHT if draft.kind == "rename" else 1 + asked',
        "RENAME_WEIGHT",
        ("tests/protocol/test_sessions.py",),
    ),
)
