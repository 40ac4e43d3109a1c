"""Planted in what a reader has yet to take."""

from tests.mutants.mutant import Mutant

OUTBOX = (
    Mutant(
        "what has left already leaves twice",
        "chatroom/transport/backlog.py",
        "            self._offset = offset\n",
        "            self._offset = 0\n",
        ("tests/transport", "tests/server"),
    ),
    Mutant(
        "a half-sent chunk begins anew",
        "chatroom/transport/backlog.py",
        "        self._offset = count_bytes\n",
        "        self._offset = 0\n",
        ("tests/transport", "tests/server"),
    ),
    Mutant(
        "the rest of a record is torn off by the bye",
        "chatroom/transport/backlog.py",
        "self.add(rest + last)",
        "self.add(last)",
        ("tests/transport", "tests/server"),
    ),
    Mutant(
        "what is cut keeps its size",
        "chatroom/transport/backlog.py",
        "        self._offset = self.size_bytes = 0\n",
        "        self._offset = 0\n",
        ("tests/transport", "tests/server"),
    ),
    Mutant(
        "what comes later overtakes what is kept",
        "chatroom/transport/epoll.py",
        "        self._go_by(self._add)\n",
        "        pass\n",
        ("tests/transport", "tests/server"),
    ),
    Mutant(
        "a reader that has caught up is not sent to directly",
        "chatroom/transport/epoll.py",
        "            if not self._closed:\n                self._go_by(self.transport.send)",
        "            if False:\n                self._go_by(self.transport.send)",
        ("tests/transport", "tests/server"),
    ),
    Mutant(
        "the write deadline closes nobody",
        "chatroom/transport/epoll.py",
        "                    self.drop_out(self._bounds.too_late())\n",
        "                    pass\n",
        ("tests/transport", "tests/server"),
    ),
    Mutant(
        "nobody is too slow by size",
        "chatroom/transport/outbox.py",
        "if size_bytes <= self.limit_bytes:",
        "if True:",
        ("tests/transport", "tests/server"),
    ),
    Mutant(
        "who reads is too slow all the same",
        "chatroom/transport/outbox.py",
        "if stalled_seconds < STALL_SECONDS and size_bytes",
        "if size_bytes <= 0 and size_bytes",
        ("tests/transport", "tests/server"),
    ),
    Mutant(
        "a reader that is gone is sent to again",
        "chatroom/transport/epoll.py",
        "        self._go_by(len)  # takes all of it, sends nothing\n",
        "        pass\n",
        ("tests/transport", "tests/server"),
    ),
    Mutant(
        "something follows the bye",
        "chatroom/transport/epoll.py",
        "        self._congestion.leave(self)\n        self._go_by(len)\n",
        "        self._congestion.leave(self)\n",
        ("tests/transport", "tests/server"),
    ),
    Mutant(
        "who has caught up is waited for",
        "chatroom/transport/outbox.py",
        "        if not self._behind:\n            self._eased.set()\n",
        "        pass\n",
        ("tests/transport", "tests/server"),
    ),
)
