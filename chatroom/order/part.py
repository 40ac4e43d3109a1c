"""What a server brings into a shared room, and what it is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from chatroom.order.contract import Applied, Origin, Rules
from chatroom.order.replica import Replica
from chatroom.order.store import Keeping
from chatroom.room.charter import Charter


class UnavailableError(Exception):
    """Nothing can be appended now; the text says why."""


class Part(NamedTuple):
    """What a server brings into the room."""

    room: str
    server: str  #: its name, which no other has
    addresses: tuple[str, ...]  #: where clients find it
    rules: Rules
    charter: Charter  #: what the room begins with, if this server knows no other that went before
    heard: int  #: the highest number in its journal
    new_session: Callable[[], str]


class Hearer(Protocol):
    """Hears what the log says. Every method is called in `SharedLog.run`, and does not wait."""

    def begin(self, replica: Replica) -> None:
        """This is the room from now on: first of all, and again when the log has lost what was
        applied, or has forgotten what was not read yet. Entries that one has heard of may be heard
        again then: numbers up to the last one heard are to be passed over. Where numbers are
        missing between that one and the next, they are a gap.
        """

    def hear(self, applied: Sequence[Applied]) -> None:
        """What came of entries, this server's among them, in the one order: at least one. All of
        them are in the replica's present session; one that begins a session comes alone.
        """

    def entered(self, origin: Origin) -> None:
        """This server is in the room, with a new epoch and without members. Its entries are counted
        from 1 again.
        """

    def out(self) -> None:
        """This server is held for gone, and its members have left the room. What it has appended
        and not heard of will never count.
        """

    def away(self, reason: str) -> None:
        """The log is not to be reached, or does not take what is appended, which waits. Comes
        again, with `back` in between, as long as it is so.
        """

    def back(self, keeping: Keeping) -> None:
        """It is reached (again), this server is in the room, and has read up to now."""

    def came_back(self, seconds: float) -> None:
        """An entry of this server's was so long under way, from its append to its being applied."""


class Statistics(NamedTuple):
    """How it goes, at one moment."""

    reached: bool  #: the log is there, and this server is in the room
    behind_seconds: float  #: the age of the oldest entry that has not come back; 0: there is none
    in_flight: int  #: entries
    in_flight_bytes: int
    entries: int  #: applied by this room, ever
    since_snapshot: int  #: entries since the last snapshot was due
    silent_seconds: dict[str, float]  #: of each server, by the log's clock: since its last entry
