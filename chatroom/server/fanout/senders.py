"""Threads that help sending to a large audience: a `send` lets the interpreter's lock go."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from time import perf_counter
from types import BuiltinMethodType
from typing import TYPE_CHECKING

import trio

from chatroom.server.fanout.elsewhere import Elsewhere

if TYPE_CHECKING:
    from trio_typing import TaskStatus

    from chatroom.settings import ServerSettings

Send = Callable[[bytes], int]

#: The place of a `send` that did not take everything, and what it took or raised. None: it is for
#: Trio's thread only, and was not called.
Unsent = tuple[int, "int | OSError | None"]

#: With fewer connections waking a thread may take longer than it saves (`loadtest turn`: 0.65 of
#: one thread's time with 300 readers on two idle cores, 0.82 with 100, more on busy ones).
LEAST_AUDIENCE = 256

#: More than these would wait for the interpreter's lock, which is held for a quarter of a send.
MOST_THREADS = 3


#: So many sends are taken at a time: some 0.2 ms, which is what Trio's thread waits for at most
#: where the others run as well as it does.
_PORTION = 32

#: Where Trio's thread is held up for half as long as it has sent itself, nobody helps for so many
#: rounds: other programs have the cores, and one has a helper's in the middle of its portion.
_ROUNDS_ALONE = 100


#: Made beforehand: there may be no memory for it.
_NONE_LEFT = iter(range(0))


class _Round:
    """One batch for one audience: whoever has time takes the next portion of it."""

    def __init__(self, sends: Sequence[Send], records: bytes) -> None:
        self.unsent: list[Unsent] = []
        self.fault: BaseException | None = None
        self._sends = sends
        self._records = records
        # `next` of it is one step, whoever takes it.
        self._starts = iter(range(0, len(sends), _PORTION))

    def help(self) -> None:
        """Send portions until none is left. Never raises: see `fault`."""
        try:
            for start in self._starts:
                self._send(start)
        except BaseException as fault:  # noqa: ASYNC103 - raised in the turn
            self._starts = _NONE_LEFT  # nor is one begun by a helper that comes after that
            self.fault = fault

    def _send(self, start: int) -> None:
        unsent = self.unsent
        records = self._records
        size_bytes = len(records)
        for slot, send in enumerate(self._sends[start : start + _PORTION], start):
            # A socket's own, or `len`. Anything else is an outbox's, or OpenSSL's.
            if type(send) is not BuiltinMethodType:
                unsent.append((slot, None))
                continue
            try:
                sent_bytes = send(records)
            except BlockingIOError:
                sent_bytes = 0
            except OSError as error:
                unsent.append((slot, error))
                continue
            if sent_bytes != size_bytes:
                unsent.append((slot, sent_bytes))


class _Helper:
    """A thread that helps with what it is given."""

    def __init__(self) -> None:
        # Should Trio's thread die without a word, it is not to keep the process.
        self.thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._to_do: SimpleQueue[_Round | None] = SimpleQueue()
        self._is_free = True
        self._at_work = threading.Lock()  # held from before its first portion to after its last

    def give(self, round_: _Round) -> None:
        """Have it help, unless it has not come to the last one yet: on a busy machine it may not,
        and nothing is to pile up for it. Nor does it where there is no memory for that.
        """
        if self._is_free:
            self._is_free = False
            try:
                self._to_do.put(round_)
            except MemoryError:
                self._is_free = True

    def wait(self) -> None:
        """When no portion is left: until it has sent those that it has begun. Needs no memory, nor
        does what lets it go on.
        """
        with self._at_work:
            pass

    def end(self) -> None:
        """Let it end, and wait for that."""
        self._to_do.put(None)
        self.thread.join()

    def _run(self) -> None:
        while (round_ := self._to_do.get()) is not None:
            with self._at_work:
                round_.help()
            del round_  # what was sent is not kept until there is more
            self._is_free = True


class Senders:
    """Threads that share the sends to an audience with Trio's. All are done before the turn goes
    on, and whatever touches an outbox is left to Trio's thread: so that with threads and without
    the same happens in the same order.

    Nobody has a part of his own: a thread that comes late, because other programs have the cores,
    finds less to do, and is not waited for.
    """

    def __init__(self, threads: int) -> None:
        """`threads`: beside Trio's; 0: that one sends all."""
        self.least = sys.maxsize  #: they are for audiences of at least so many, while `run` runs
        self._threads = threads
        self._helpers: list[_Helper] = []
        self._elsewhere = Elsewhere(())
        self._alone = 0  # rounds to come in which nobody helps

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Have the threads until cancelled. They have ended then, which is at once: nothing is
        being sent between turns. Raises `RuntimeError` where the system has no thread to spare.
        """
        helpers: list[_Helper] = []
        try:
            for _ in range(self._threads):
                helper = _Helper()
                helper.thread.start()
                helpers.append(helper)
            threads = [helper.thread.native_id for helper in helpers]
            self._elsewhere = Elsewhere([thread for thread in threads if thread is not None])
            self._helpers = helpers
            if helpers:
                self.least = LEAST_AUDIENCE
            task_status.started()
            await trio.sleep_forever()
        finally:
            self.least = sys.maxsize
            self._helpers = []
            for helper in helpers:
                helper.end()

    def send(self, sends: Sequence[Send], records: bytes) -> list[Unsent]:
        """Call all `sends`, which nobody may change meanwhile; returns what was left, to be dealt
        with in Trio's thread. Called there; blocks until all have returned.
        """
        round_ = _Round(sends, records)
        begun = helped = perf_counter()
        try:
            if self._alone:
                self._alone -= 1
            else:
                self._elsewhere.keep()
                for helper in self._helpers:
                    helper.give(round_)
            round_.help()
            helped = perf_counter()
        finally:
            for helper in self._helpers:
                helper.wait()
        if round_.fault is not None:
            raise round_.fault
        if perf_counter() - helped > (helped - begun) / 2:
            self._alone = _ROUNDS_ALONE
        return round_.unsent


#: Trio's thread sends all.
NO_SENDERS = Senders(0)


def threads_by_cores() -> int:
    """How many there are where nobody has said: for all cores but two, three at most. The second
    core has other work (the kernel's for what comes in, the journal, clients on the same machine):
    1,000 such clients had 1.67 times the median where a thread took it.
    """
    return max(0, min(len(os.sched_getaffinity(0)) - 2, MOST_THREADS))


def senders_of(settings: ServerSettings) -> Senders:
    """As many as the settings ask for."""
    if settings.mode == "thread":  # each client has its own
        return Senders(0)
    threads = settings.send_threads
    return Senders(threads_by_cores() if threads is None else threads)
