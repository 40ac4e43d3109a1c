"""What others find in a journal: the next server, another process."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import trio

_READS = """
import sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, isolation_level=None)
connection.execute("BEGIN")
print(connection.execute("SELECT count(*) FROM event").fetchone(), flush=True)
sys.stdin.read()
"""


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def stamp(file: Path) -> tuple[int, int]:
    """What changes when `file` does."""
    if not file.exists():
        return 0, 0
    status = file.stat()
    return status.st_mtime_ns, status.st_size


def stored(path: Path) -> set[int]:
    """What the next server would find, read from copies, as after a crash."""
    copies = path.with_name("copies")
    copies.mkdir(exist_ok=True)
    files = [path, log_of(path)]
    before = None
    while before != (before := [stamp(file) for file in files]):  # of one moment, both of them
        for file in files:
            (copies / file.name).unlink(missing_ok=True)
            if file.exists():
                shutil.copyfile(file, copies / file.name)
    try:
        with closing(sqlite3.connect(copies / path.name)) as connection:
            return {seq for (seq,) in connection.execute("SELECT seq FROM event")}
    except sqlite3.DatabaseError:
        return set()


async def history(path: Path) -> subprocess.CompletedProcess[bytes]:
    """What a person is shown. By another process: SQLite's locks are of processes, and another
    file at the path of one that is open is safe only behind them.
    """
    return await trio.run_process(
        [sys.executable, "-m", "chatroom", "history", "--journal", str(path)],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )


@contextmanager
def read_elsewhere(path: Path) -> Iterator[None]:
    """Another process sees the journal as it is now: history in a pager, say, or a backup."""
    with subprocess.Popen(
        [sys.executable, "-c", _READS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield


def whole(path: Path) -> bool:
    """Whether the file, without its log, is a sound database."""
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    return bool(found == "ok")
