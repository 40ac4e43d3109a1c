"""What to ask the server for, stretch by stretch, and when to ask again."""

from __future__ import annotations

from math import inf
from random import Random
from typing import NamedTuple

from chatroom.feed import backoff
from chatroom.feed.missing import Missing, Stretch

#: One question asks for at most this many; a few more than short events fit one answer.
QUESTION_MESSAGES = 64
#: How long a stretch is asked for before it is reported as lost.
EFFORT_SECONDS = 2.0
#: Unanswered questions after which the server may have dropped the lowest numbers, and what it
#: does keep is searched for; and questions for each step of that search.
TRIES_BEFORE_SEARCH = 4
TRIES_A_STEP = 3
#: So many of the lowest stretches are asked for at a time: one more with each answer, half as many
#: when an answer does not come. So a large gap is fetched as fast as the server gives, and what
#: no one can answer for, as after a forged heartbeat, is asked for quietly.
SMALLEST_WINDOW = 4
LARGEST_WINDOW = 32
#: A server that did not answer for a while is not taken to be that slow for ever.
LONGEST_ROUND_TRIP_SECONDS = 0.125


class Question(NamedTuple):
    """What to ask the server for: `wanted` messages from `sequence` on."""

    sequence: int
    wanted: int
    tries: int  #: how often this was asked since the last answer, this time included


class Asking:
    """Makes the questions for what is missing, and sets the time of the next one."""

    def __init__(self, missing: Missing, random: Random) -> None:
        self._missing = missing
        self._random = random
        self._round_trip_seconds = 0.0
        self.window = SMALLEST_WINDOW

    def first_due(self, now: float) -> float:
        """When to ask for something that was noticed just now."""
        return now + backoff.before_first_question(self._random)

    def widen(self) -> None:
        """An answer came."""
        self.window = min(LARGEST_WINDOW, self.window + 1)

    def measure_round_trip(self, stretch: Stretch, now: float) -> None:
        """An answer came: how long that took, smoothed as TCP does it (RFC 6298).

        Counted from the first question, although a later one may have been answered: where a
        loaded server takes longer than the wait between them, the wait has to grow.
        """
        if stretch.searched is not None or not stretch.tries:
            return
        seconds = min(now - stretch.asked, LONGEST_ROUND_TRIP_SECONDS)
        if self._round_trip_seconds:
            self._round_trip_seconds += (seconds - self._round_trip_seconds) / 8
        else:
            self._round_trip_seconds = seconds

    def ask(self, index: int, now: float) -> Question:
        """The question for the stretch at `index`, which is cut to what one question can ask."""
        stretch = self._missing[index]
        if stretch.searched is None and stretch.tries >= TRIES_BEFORE_SEARCH:
            self._missing.join(index)
            if stretch.end - stretch.first > 1:
                stretch.searched, stretch.tries, stretch.effort_from = stretch.first, 0, inf
        if stretch.searched is not None:
            return self._search(stretch, now)
        self._missing.split(index, QUESTION_MESSAGES)
        if stretch.tries == 0:
            stretch.asked = stretch.effort_from = now
        self._count(stretch, now)
        return Question(stretch.first, stretch.end - stretch.first, stretch.tries)

    def _search(self, stretch: Stretch, now: float) -> Question:
        """Halve the stretch until the oldest number that the server keeps is found."""
        low = max(stretch.searched or 0, stretch.first)
        if low >= stretch.end:  # a late answer came from below the highest number asked in vain
            low = stretch.first
        middle = (low + stretch.end) // 2
        if stretch.tries >= TRIES_A_STEP and middle != low:
            low, stretch.tries = middle, 0
            middle = (low + stretch.end) // 2
        if middle == low and stretch.effort_from == inf:
            stretch.effort_from = now  # found: from here the effort is bounded
        stretch.searched = low
        self._count(stretch, now)
        return Question(middle, min(QUESTION_MESSAGES, stretch.end - middle), stretch.tries)

    def _count(self, stretch: Stretch, now: float) -> None:
        if stretch.tries:
            self.window = max(SMALLEST_WINDOW, self.window // 2)
        stretch.tries += 1
        stretch.due = now + backoff.before_next_question(
            stretch.tries, self._round_trip_seconds, self._random
        )
        if now < stretch.effort_from + EFFORT_SECONDS < stretch.due:
            stretch.due = stretch.effort_from + EFFORT_SECONDS
