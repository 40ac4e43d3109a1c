"""What came since one last touched the keyboard."""

from __future__ import annotations

#: After this long without a key, the first message that comes is put under a mark.
AWAY_SECONDS = 60.0


class Unread:
    """Counts messages, and says before which of them the mark stands. Times are in seconds."""

    def __init__(self, now: float) -> None:
        self.count = 0
        self._touched_at = now
        self._marked = False

    def touch(self, now: float) -> None:
        """A key was pressed: what is on the screen has been read."""
        self.count = 0
        self._marked = False
        self._touched_at = now

    def came(self, now: float) -> bool:
        """A message of somebody else came; whether the mark stands before it."""
        self.count += 1
        if self._marked or now - self._touched_at < AWAY_SECONDS:
            return False
        self._marked = True
        return True
