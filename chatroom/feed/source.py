"""Where the session that is followed comes from: whom to believe of an open feed, and whom to ask.
Sans I/O; times are seconds of any clock that never goes back."""

from __future__ import annotations

from math import inf

#: A server sends something at least once a second. When the session that is followed has been
#: silent for longer than this and another one speaks, its server was restarted; while both speak,
#: the other is a stranger in this group.
SESSION_SILENCE_SECONDS = 2.5


class Source:
    """The address that the session followed comes from."""

    def __init__(self) -> None:
        self.address: object = None
        self.heard_at = -inf  #: when it spoke last
        self._vouched = False

    def is_another(self, address: object, now: float) -> bool:
        """Whether `address` is a stranger's: the session's own was heard a short while ago."""
        return address != self.address and self.is_heard(now)

    def is_heard(self, now: float) -> bool:
        """Whether it speaks, as a server does that lives."""
        return now - self.heard_at < SESSION_SILENCE_SECONDS

    def hear(self, address: object, now: float) -> None:
        """A packet of the session was taken from there."""
        self.address, self.heard_at = address, now

    def hear_sealed(self, address: object, now: float, *, new: bool) -> None:
        """A packet of a sealed session was taken from there; `new`: with a message not heard yet.

        Such a message vouches for its address. A heartbeat and a message heard before may be
        anybody's: their address is one to ask while none is vouched for, or when that one is
        silent.
        """
        if new:
            self._vouched = True
        elif address != self.address:
            if self._vouched and self.is_another(address, now):
                return
            self._vouched = False
        self.hear(address, now)
