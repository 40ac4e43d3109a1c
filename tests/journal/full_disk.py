"""Fills the files that this process may write, makes room again, and says what came of it.

Run as `python -m tests.journal.full_disk JOURNAL`: the limit is one of a whole process.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import trio

from chatroom.event import Gap
from chatroom.journal.sqlite import open_journal
from tests.journal.talk import said, settings_for, store

LIMIT_BYTES = 300_000


async def main(path: Path) -> None:
    async with open_journal(settings_for(path, recent_events=1)) as journal:
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, most))
        acked: list[int] = []
        refused: list[int] = []
        while len(refused) < 3:
            seq = journal.recent.last_seq + 1
            kept = await store(journal, [said(seq, "x" * 1000)])
            (acked if kept else refused).append(seq)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        healed = journal.recent.last_seq + 1
        while not await store(journal, [said(journal.recent.last_seq + 1)]):
            refused.append(journal.recent.last_seq)
        acked.append(journal.recent.last_seq)
        page = await journal.after(0, 10_000)
    gaps = {
        seq for gap in page.events if isinstance(gap, Gap) for seq in range(gap.first, gap.last + 1)
    }
    assert gaps == set(refused)
    assert {event.seq for event in page.events if not isinstance(event, Gap)} == set(acked)
    print("acked", len(acked), "refused", len(refused), "healed after", healed)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
