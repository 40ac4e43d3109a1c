"""What every welcome says of the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatroom.feed.broadcast import Feed
    from chatroom.protocol import answers


@dataclass(frozen=True, slots=True)
class Offer:
    """For everybody who comes in."""

    limits: answers.Limits
    feed: Feed | None = None
    others: Callable[[], Sequence[str]] = tuple  #: the room's other servers, as they are now

    @property
    def is_sealed(self) -> bool:
        """Only who has its key can read the feed."""
        return self.feed is not None and self.feed.sealed

    def show(self, address: str) -> None:
        """Somebody has come in from there, so that it may ask the feed for repairs."""
        if self.feed is not None:
            self.feed.show(address)

    def multicast(self, *, private: bool) -> answers.Multicast | None:
        """Where the feed is; and its keys, if nobody else hears that."""
        return None if self.feed is None else self.feed.where(private=private)
