"""The numbers that a log elsewhere gives out, and the journal of this server that follows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from chatroom.errors import ChatroomError
from chatroom.event import Event

if TYPE_CHECKING:
    from chatroom.journal import Journal
    from chatroom.order.replica import Replica
    from chatroom.room.commands import Outcome

_STRANGE = (
    "the journal has the history of another room, or of a session that this room began while the "
    "server was away: give --journal another file"
)


def events_of(outcome: Outcome) -> Iterator[Event]:
    """What is announced of it, in the order of the numbers."""
    for gone in outcome.removed:
        if gone.event is not None:
            yield gone.event
    if outcome.event is not None:
        yield outcome.event


class Numbering:
    """Which of the room's events this server has, and where numbers are missing to it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.last = journal.recent.last_seq  #: the last number that this server has an event of
        self.session = ""  #: that it is of; empty: the journal has not been found to be this room's
        self._strange = ""  # a session of which it cannot tell

    def begin(self, replica: Replica) -> None:
        """The room is that from now on. A journal with a history goes on if it is this room's."""
        if self.session or not replica.session:
            return
        if self._journal.knows(replica.session) or not self.last:
            self._journal.skip_to(self.last, replica.session)
            self.session = replica.session
        else:
            self._strange = replica.session

    def check(self) -> None:
        """Raise `ChatroomError` if the journal is not this room's."""
        if not self.session:
            raise ChatroomError(_STRANGE)

    def is_next(self, seq: int, session: str) -> bool:
        """Whether an event with that number follows the last one."""
        return seq == self.last + 1 and session == self.session

    def hear_next(self, event: Event, session: str) -> bool:
        """Whether it is the next event here, as nearly all are; then it has been heard."""
        if event.seq != self.last + 1 or session != self.session or not session:
            return False
        self.last = event.seq
        return True

    def skip_to(self, seq: int, session: str, skip: Callable[[int, str], None]) -> None:
        """The next event is the one after `seq`. `skip` does that to the journal, and tells."""
        # A journal with a history goes on in a session only if that was seen to begin above it.
        if session != self._strange and seq >= self.last:
            skip(seq, session)
            self.last, self.session = seq, session

    def heard(self, outcome: Outcome) -> None:
        """What is announced of it is an event here."""
        if self.session:
            for event in events_of(outcome):
                self.last = event.seq

    def unheard(self, outcome: Outcome) -> Outcome:
        """`outcome` without events that have been heard of, when the log is read once more."""
        first = next(events_of(outcome), None)
        if first is None or first.seq > self.last:
            return outcome
        replace = msgspec.structs.replace
        event = outcome.event
        return replace(
            outcome,
            event=None if event is None or event.seq <= self.last else event,
            removed=tuple(
                replace(gone, event=None)
                if gone.event is not None and gone.event.seq <= self.last
                else gone
                for gone in outcome.removed
            ),
        )
