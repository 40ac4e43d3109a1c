"""One of the ways on which a feed comes: a group's socket, and whom to ask for what it lacks.

A feed that comes on two, A and B, from two servers or over two networks, needs to arrive on one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from chatroom.feed.group import Group, index_of, join_again, open_listening
from chatroom.feed.source import SESSION_SILENCE_SECONDS

Address = Any  # what the socket module says about where a datagram came from


@dataclass(frozen=True)
class WantedLine:
    """A group to listen to."""

    group: Group
    request: Address | None = None
    """Where to ask again; None: the address the feed comes from, at `request_port`."""
    request_port: int | None = None
    """Of the address that the feed comes from; None: the feed's port + 1."""


class Line:
    """A group that is listened to. Raises `ChatroomError` if it can't be joined."""

    def __init__(self, wanted: WantedLine) -> None:
        self.group = wanted.group
        self.socket = open_listening(wanted.group)
        self._index = index_of(wanted.group)
        self._given = wanted.request
        self._request_port = wanted.request_port or wanted.group.port + 1
        self._source: Address = None
        self.heard_at = -inf

    def hear(self, source: Address, now: float) -> None:
        """A datagram of the feed was taken, and `source` is the one to ask."""
        self._source, self.heard_at = source, now

    def join_again(self, now: float) -> bool:
        """Where nothing comes any more and the interface is another than it was, as after it was
        removed and made again, join the group there. Returns whether that was needed.
        """
        if now - self.heard_at < SESSION_SILENCE_SECONDS:
            return False
        index = index_of(self.group)
        if index is None or index == self._index:
            return False
        try:
            joined = join_again(self.socket, self.group, self._index)
        except OSError:
            return False  # it is not there yet
        self._index = index
        return joined

    @property
    def request_address(self) -> Address:
        """Where to ask; None: that is not known yet."""
        if self._given is not None or self._source is None:
            return self._given
        host, _, *rest = self._source
        return (host, self._request_port, *rest)

    def answers_from(self, address: Address) -> bool:
        """Whether what comes from there is an answer to a question of ours."""
        target = self.request_address
        return target is not None and _bare(address) == _bare(target)


def _bare(address: Address) -> tuple[str, int]:
    """Host and port, without the interface that IPv6 may put behind a host."""
    return address[0].partition("%")[0], address[1]
