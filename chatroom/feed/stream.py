"""One session's numbers on the listener's side: what came, what is missing, what to deliver.

No I/O and no clock: the caller says when things happen, in seconds of any clock that never goes
back. Every number from `expected` up to `end` is either in the buffer (it came before its turn) or
in a missing stretch; below `expected` all is delivered or reported as lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from math import inf
from random import Random
from typing import NamedTuple

from chatroom.feed.asking import EFFORT_SECONDS, Asking, Question
from chatroom.feed.missing import Missing, Stretch
from chatroom.feed.statistics import ListenerStatistics

#: What comes before its turn is kept up to this many messages ahead and this many bytes; the rest
#: is fetched when its turn comes. As many as the server keeps by default.
BUFFER_MESSAGES = 65_536
BUFFER_BYTES = 16 * 2**20
#: How long to ask, at most, for numbers that only a single heartbeat spoke of and nothing since.
SILENT_EFFORT_SECONDS = 10.0
#: A packet that was overtaken by others comes within this. One that comes later and says that
#: lower numbers are next contradicts the higher ones.
CONTRADICTION_SECONDS = 0.1
_HEARD_SECONDS = 0.1
_HEARD_KEPT = 24


class Delivered(NamedTuple):
    """The next message."""

    sequence: int
    message: bytes


class Lost(NamedTuple):
    """Messages that will not come; `last` is the last of them."""

    first: int
    last: int


class Stream:
    """See the module. `outcomes` grows as things are decided; the owner takes them from there."""

    def __init__(
        self,
        expected: int,
        statistics: ListenerStatistics,
        random: Random | None = None,
        *,
        sealed: bool = False,
    ) -> None:
        """`sealed`: packets without messages can be anybody's, so they are hints where to ask, and
        no proof that something was sent.
        """
        self.expected = expected
        self.end = expected
        self._sealed = sealed
        self._proven = expected  # all below was sent, as something that cannot be forged says
        self.outcomes: list[Delivered | Lost] = []
        self._statistics = statistics
        self._buffer: dict[int, bytes] = {}
        self._buffer_bytes = 0
        self._highest = expected - 1  # of all numbers that came with their message
        self._missing = Missing()
        self._asking = Asking(self._missing, random or Random())
        #: By line: (when, the lowest "next" number that its packets named in `_HEARD_SECONDS`).
        self._heard: dict[int, deque[tuple[float, int]]] = {}

    @property
    def buffered(self) -> tuple[int, int]:
        """How much waits for its turn: messages and bytes."""
        return len(self._buffer), self._buffer_bytes

    @property
    def holes(self) -> int:
        """How many stretches are missing."""
        return len(self._missing)

    def expect(self, sequence: int, now: float) -> None:
        """All up to `sequence` has been sent already, before this listener heard anything."""
        self._proven = max(self._proven, sequence)
        if sequence > self.end:
            self._missing.append(Stretch(self.end, sequence, now, now))
            self.end = sequence

    def take_group(
        self, sequence: int, messages: Sequence[bytes], now: float, line: int = 0
    ) -> None:
        """A packet of a group: messages, or none in a heartbeat. `line`: on which of them, where
        the same comes on several.
        """
        following = sequence + len(messages)
        # Messages that are all here already may have been on their way for long: they do not tell
        # what is the next one now.
        if following > self.expected if messages else not self._sealed:
            self._hear(following, now, line)
        if sequence == self.expected == self.end:  # the usual way: nothing is missing
            number = sequence
            for message in messages:
                self.outcomes.append(Delivered(number, message))
                number += 1
            self.expected = self.end = following
            self._statistics.received += len(messages)
            return
        if sequence > self.end:
            self._notice(sequence, now)
        self._take(sequence, messages, now, answer=False)

    def take_answer(self, sequence: int, messages: Sequence[bytes], now: float) -> None:
        """A packet that the request server sent to this listener alone.

        Only numbers already known to exist are taken from it.
        """
        messages = messages[: max(0, self.end - sequence)]
        if not messages:
            return
        stretch = self._missing.found(sequence)
        if stretch is not None:
            self._asking.measure_round_trip(stretch, now)
        self._asking.widen()
        # The server keeps the newest: it can still answer for all that is above this one.
        for above in self._missing.after(sequence, self._asking.window):
            above.effort_from = max(above.effort_from, now)
        self._take(sequence, messages, now, answer=True)

    def poll(self, now: float) -> list[Question]:
        """What to ask for now. Stretches for which enough was done are reported as lost."""
        questions: list[Question] = []
        for index, stretch in enumerate(self._askable()):
            if stretch.due > now:
                continue
            if stretch.tries and (lower := self._contradiction(stretch)) is not None:
                self._truncate(max(lower, self.expected))
                break
            if not self._give_up(stretch, now):
                questions.append(self._asking.ask(index, now))
        self._deliver()
        self._statistics.requests += len(questions)
        return questions

    @property
    def deadline(self) -> float:
        """When to call `poll` next, if nothing comes; infinity if nothing is missing."""
        return min((stretch.due for stretch in self._askable()), default=inf)

    def _askable(self) -> Iterator[Stretch]:
        """The lowest stretches, as many as may be asked for at a time and as there is room for.

        Whoever goes through them may cut the one at hand, and forget what follows it.
        """
        index = 0
        while index < min(self._asking.window, len(self._missing)):
            stretch = self._missing[index]
            if index and not self._has_room(stretch.first, b""):
                break
            yield stretch
            index += 1

    def finish(self) -> None:
        """No more will come: deliver what waits, and report as lost what is missing below it."""
        while self._missing and not self._is_certain(self._missing[-1]):
            self._truncate(self._missing[-1].first)
        for stretch in self._missing:
            stretch.given_up = True
        self._deliver()

    # What came.

    def _hear(self, following: int, now: float, line: int) -> None:
        heard = self._heard.get(line)
        if heard is None:
            heard = self._heard[line] = deque(maxlen=_HEARD_KEPT)
        if not heard or now - heard[-1][0] > _HEARD_SECONDS:
            heard.append((now, following))
        elif following < heard[-1][1]:
            heard[-1] = (heard[-1][0], following)

    def _notice(self, sequence: int, now: float) -> None:
        """Numbers up to `sequence` exist, and have not come."""
        due = self._asking.first_due(now)
        self._missing.append(Stretch(self.end, sequence, now, due))
        self._statistics.gaps += 1
        self.end = sequence

    def _take(self, sequence: int, messages: Sequence[bytes], now: float, *, answer: bool) -> None:
        for number, message in enumerate(messages, sequence):
            if number >= self.end:
                self._take_newest(number, message, now)
            elif number < self.expected or (stretch := self._missing.found(number)) is None:
                self._statistics.duplicates += 1
            elif self._has_room(number, message):
                self._keep(number, message)
                if answer:
                    self._repair(stretch, number, now)
                else:
                    self._fill(number, now)
            elif answer:
                self._postpone(number, now)
                break
            if number == self.expected:
                self._deliver()

    def _take_newest(self, number: int, message: bytes, now: float) -> None:
        if self._has_room(number, message):
            self._keep(number, message)
        else:  # fetched again when its turn comes
            self._missing.append(Stretch(number, number + 1, now, now))
        self.end = number + 1

    def _has_room(self, number: int, message: bytes) -> bool:
        if number == self.expected:
            return True
        return (
            number - self.expected < BUFFER_MESSAGES
            and self._buffer_bytes + len(message) <= BUFFER_BYTES
        )

    def _keep(self, number: int, message: bytes) -> None:
        self._buffer[number] = message
        self._buffer_bytes += len(message)
        self._highest = max(self._highest, number)

    def _repair(self, stretch: Stretch, number: int, now: float) -> None:
        """A missing message came as an answer."""
        self._statistics.repaired += 1
        self._statistics.repair_times.add(now - stretch.noticed)
        given_up = stretch.given_up
        below, above = self._missing.remove(number)
        if given_up:
            return
        if above is not None:  # the answer may end here: ask for the rest at once
            above.ask_anew(now)
        if below is not None:
            below.due, below.tries = now, 0

    def _postpone(self, number: int, now: float) -> None:
        """The server can still send `number`, for which there is no room yet."""
        below, above = self._missing.cut(number)
        above.ask_anew(now)
        if below is not None:
            below.due, below.tries = now, 0

    def _fill(self, number: int, now: float) -> None:
        """A missing message came by itself."""
        self._statistics.reordered += 1
        below, above = self._missing.remove(number)
        if below is not None and above is not None:
            # A hole of its own inside what only a higher number had told of.
            below.noticed, below.given_up = now, False
            below.ask_anew(self._asking.first_due(now))

    def _deliver(self) -> None:
        while self.expected < self.end:
            message = self._buffer.pop(self.expected, None)
            if message is not None:
                self._buffer_bytes -= len(message)
                self.outcomes.append(Delivered(self.expected, message))
                self._statistics.received += 1
                self.expected += 1
            elif self._missing[0].given_up:
                self._lose(self._missing.pop_first())
            else:
                break

    def _lose(self, stretch: Stretch) -> None:
        first = stretch.first
        if self.outcomes and isinstance(last := self.outcomes[-1], Lost):
            first = last.first
            self.outcomes.pop()
        self.outcomes.append(Lost(first, stretch.end - 1))
        self._statistics.lost += stretch.end - stretch.first
        self.expected = stretch.end

    # What to give up.

    def _give_up(self, stretch: Stretch, now: float) -> bool:
        """Whether enough was done for `stretch`: then it is marked as lost, or forgotten."""
        if stretch.given_up:
            return True
        if now - stretch.effort_from < EFFORT_SECONDS:
            return False
        if self._is_certain(stretch):
            stretch.given_up, stretch.due = True, inf
            return True
        return False if now - stretch.noticed < SILENT_EFFORT_SECONDS else self._forget(stretch)

    def _is_certain(self, stretch: Stretch) -> bool:
        """Whether a message above was sent, or more than one packet says that these were."""
        if self._highest > stretch.first or stretch.end <= self._proven:
            return True
        since = stretch.noticed + CONTRADICTION_SECONDS
        return not self._sealed and any(
            begin >= since and low >= stretch.end
            for heard in self._heard.values()
            for begin, low in heard
        )

    def _contradiction(self, stretch: Stretch) -> int | None:
        """The lowest number that the group, later, still called the next, if below the end.

        So a forged heartbeat with a huge number is found out by the next true packet. Of several
        lines one may be behind: as long as another does not, it contradicts nothing.
        """
        since = stretch.noticed + CONTRADICTION_SECONDS
        lowest = [
            min((low for begin, low in heard if begin >= since), default=-1)
            for heard in self._heard.values()
        ]
        said = max(lowest, default=-1)
        return said if 0 <= said < stretch.end else None

    def _forget(self, stretch: Stretch) -> bool:
        self._truncate(stretch.first)
        return True

    def _truncate(self, end: int) -> None:
        self._missing.truncate(end)
        for number in [number for number in self._buffer if number >= end]:
            self._buffer_bytes -= len(self._buffer.pop(number))
        self._highest = max(self._buffer, default=self.expected - 1)
        self.end = end
