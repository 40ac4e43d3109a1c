"""What a journal counts, for whoever watches a server."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

#: Commits are counted by how long they took: up to so many seconds, each bucket from the end of the
#: one before; one more has those that took longer. From a good disk's sync to a stuck one's.
COMMIT_BUCKETS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(frozen=True, slots=True)
class JournalStatistics:
    """A snapshot. What is counted is counted since the start."""

    stored_events: int = 0  #: written
    refused_events: int = 0  #: said, but not stored
    backlog_events: int = 0  #: wait for the disk
    backlog_bytes: int = 0  #: an estimate of the memory that they take
    behind_seconds: float = 0.0  #: the age of the oldest that waits
    failure: str | None = None  #: why the last attempt to write failed; None: it did not
    commits: int = 0  #: transactions that wrote events
    commit_seconds: float = 0.0  #: what they took in all
    commit_buckets: tuple[int, ...] = (0,) * (len(COMMIT_BUCKETS_SECONDS) + 1)


class CommitTimes:
    """Counts commits. One thread writes, any may read."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self._buckets = [0] * (len(COMMIT_BUCKETS_SECONDS) + 1)

    def add(self, seconds: float) -> None:
        """Count one that took so long."""
        self.count += 1
        self.seconds += seconds
        self._buckets[bisect_left(COMMIT_BUCKETS_SECONDS, seconds)] += 1

    @property
    def buckets(self) -> tuple[int, ...]:
        """How many of each of COMMIT_BUCKETS_SECONDS, and how many took longer."""
        return tuple(self._buckets)
