"""Whether Trio's loop goes round: a server whose loop hangs for good hears nobody, and ends.

It may hang without a fault of ours: `threading.Thread.start` waits for the new thread for ever if
that finds no memory for its first steps (seen with CPython 3.11). A supervisor with a watchdog
would find out too, but most servers have none.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time

import trio

LOOK_SECONDS = 1.0

#: Nothing that the loop does takes a hundredth of this. Looks are counted, not seconds: a process
#: that was stopped meanwhile, or a machine that was asleep, goes on.
MOST_LOOKS = 15

_LAST_WORDS = b"chatroom: the event loop hangs, the server ends: start it again\n"


class Pulse:
    """Ends the process with exit code 1 when the loop has not gone round for `MOST_LOOKS`; the
    standard error output has what each thread was at.

    The thread that looks is there from the start and takes no memory.
    """

    def __init__(self) -> None:
        self._beats = 0
        self._over = False

    async def run(self) -> None:
        """Have it watched until cancelled."""
        threading.Thread(target=self._watch, name="pulse", daemon=True).start()
        try:
            while True:
                self._beats += 1
                await trio.sleep(LOOK_SECONDS)
        finally:
            self._over = True

    def _watch(self) -> None:
        seen = looks = 0
        while not self._over:
            time.sleep(LOOK_SECONDS)
            if self._beats != seen:
                seen, looks = self._beats, 0
                continue
            looks += 1
            if looks > MOST_LOOKS and not self._over:
                _end()


def _end() -> None:
    if sys.__stderr__ is not None:
        os.write(sys.__stderr__.fileno(), _LAST_WORDS)
        faulthandler.dump_traceback(sys.__stderr__)
    os._exit(1)
