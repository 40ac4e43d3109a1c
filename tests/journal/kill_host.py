"""Starts servers on a journal and kills them, a fork each: no interpreter to start a hundred times.

Run as `python -m tests.journal.kill_host JOURNAL`. Each line on stdin: `start` forks a server and
answers with its port, `kill` ends it by SIGKILL and answers when it is dead.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

import trio

from chatroom.journal.sqlite import open_journal
from chatroom.server.service import Service
from chatroom.settings import UNLIMITED, JournalSettings, ServerSettings


async def serve(path: str) -> None:
    settings = JournalSettings(path=path, recent_events=100)
    async with open_journal(settings) as journal, trio.open_nursery() as nursery:
        service = Service(ServerSettings(port=0, rates=UNLIMITED), journal)
        await nursery.start(service.run)
        print(service.port, flush=True)


def main(path: str) -> None:
    os.environ["RUNTIME_DIRECTORY"] = str(Path(path).parent)  # the last server leaves a mark
    server = 0
    for line in sys.stdin:
        if line == "start\n":
            server = os.fork()
            if not server:
                # Not left behind, however this process ends (prctl(2), PR_SET_PDEATHSIG).
                ctypes.CDLL(None).prctl(1, signal.SIGKILL)
                trio.run(serve, path)
                os._exit(1)  # it was to be killed
        else:
            os.kill(server, signal.SIGKILL)
            os.waitpid(server, 0)
            print("dead", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
