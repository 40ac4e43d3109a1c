"""Planted in what a reader has yet to take."""

from tests.mutants.mutant import Mutant

_TESTS = (
    "tests/transport/test_backlog.py",
    "tests/transport/test_last_line.py",
    "tests/transport/test_bounds.py",
    "tests/server/test_broadcaster.py",
    "tests/server/test_conversation_json.py",
    "tests/server/test_conversation_plain.py",
    "tests/server/test_one_order.py",
    "tests/server/test_catching_up.py",
    "tests/server/test_inlet.py",
    "tests/server/test_endings.py",
)

OUTBOX = (
    Mutant(
        "what has left already leaves twice",
        "chatroom/transport/backlog.py",
        "            self._offset = offset\n",
        "            self._offset = 0\n",
        _TESTS,
    ),
    Mutant(
        "a half-sent chunk begins anew",
        "chatroom/transport/backlog.py",
        "        self._offset = count_bytes\n",
        "        self._offset = 0\n",
        _TESTS,
    ),
    Mutant(
        "the rest of a record is torn off by the bye",
        "chatroom/transport/backlog.py",
        "self.add(rest + last)",
        "self.add(last)",
        _TESTS,
    ),
    Mutant(
        "what is cut keeps its size",
        "chatroom/transport/backlog.py",
        "        self._offset = self.size_bytes = 0\n",
        "        self._offset = 0\n",
        _TESTS,
    ),
    Mutant(
        "what comes later overtakes what is kept",
        "chatroom/transport/epoll.py",
        "        self._go_by(self._add)\n",
        "        pass\n",
        _TESTS,
    ),
    Mutant(
        "a reader that has caught up is not sent to directly",
        "chatroom/transport/epoll.py",
        "            if not self._closed:\n                self._go_by(self.transport.send)",
        "            if False:\n                self._go_by(self.transport.send)",
        _TESTS,
    ),
    Mutant(
        "the write deadline closes nobody",
        "chatroom/transport/epoll.py",
        "                    self.drop_out(self._bounds.too_late())\n",
        "                    pass\n",
        _TESTS,
    ),
    Mutant(
        "nobody is too slow by size",
        "chatroom/transport/outbox.py",
        "if size_bytes <= self.limit_bytes:",
        "if True:",
        _TESTS,
    ),
    Mutant(
        "who reads is too slow all the same",
        "chatroom/transport/outbox.py",
        "if stalled_seconds < STALL_SECONDS and size_bytes",
        "if size_bytes <= 0 and size_bytes",
        _TESTS,
    ),
    Mutant(
        "a reader that is gone is sent to again",
        "chatroom/transport/epoll.py",
        "        self._go_by(len)  # takes all of it, sends nothing\n",
        "        pass\n",
        _TESTS,
    ),
    Mutant(
        "something follows the bye",
        "chatroom/transport/epoll.py",
        "        self._congestion.leave(self)\n        self._go_by(len)\n",
        "        self._congestion.leave(self)\n",
        _TESTS,
    ),
    Mutant(
        "who has caught up is waited for",
        "chatroom/transport/outbox.py",
        "        if not self._behind:\n            self._eased.set()\n",
        "        pass\n",
        _TESTS,
    ),
    Mutant(
        "talkers that wait go on all at once",
        "chatroom/transport/outbox.py",
        "            async with self._turn:\n",
        "            if True:\n",
        _TESTS,
    ),
)
