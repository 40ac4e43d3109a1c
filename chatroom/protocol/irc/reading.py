"""Reading what was said before, page by page: each request waits for the answer to the last one."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING

from chatroom.event import EVENT_KINDS, Event, Gap
from chatroom.protocol import answers
from chatroom.protocol.irc.voice import Asked
from chatroom.protocol.requests import Request

if TYPE_CHECKING:
    from chatroom.protocol.irc.client import Client
    from chatroom.protocol.irc.render import Rendered
    from chatroom.protocol.irc.voice import Parts, Voice
    from chatroom.protocol.requests import Draft

#: What is read for one command, at most: a room may have millions of joins and no talk.
_PAGES = 50
_PAGE_EVENTS = 200

#: For lines that nobody has asked for: who joins has not, and after a restart all join at once.
FEW_PAGES = 5

TALK = frozenset({"message", "action"})
#: With draft/event-playback: what else has a line in IRC.
PLAYED = EVENT_KINDS

#: A step of reading: a request that waits for its answer, and what comes of them all.
Steps = Generator["Draft", None, "Sequence[Event | Gap]"]


class ReadingFailed(Exception):
    """The history cannot be had now; the client has been told."""


class Reading(Asked):
    """Pages of history for one command, which are not answered themselves."""

    __slots__ = ("_number", "_page", "_refusal")

    def __init__(self, client: Client, refusal: tuple[str, ...]) -> None:
        """`refusal`: what the client is told where the history cannot be read."""
        super().__init__()
        self._page: answers.History | None = None
        self._refusal = refusal
        self._number = client.ask(self)

    def lines(self, voice: Voice, answer: answers.AnyAnswer) -> Iterable[Parts | Rendered]:
        assert isinstance(answer, answers.History)
        self._page = answer
        return ()

    def refused(self, voice: Voice, error: answers.Error) -> Iterable[Parts]:
        return [self._refusal]

    def end(self, client: Client, *lines: Parts | Rendered) -> None:
        """All has been read: say these lines, under the label of the command."""
        client.standing.forget(self._number)
        if self.label is not None:
            self.label.waits -= 1
        client.label = self.label
        if lines or self.label is not None:
            client.say(*lines)
        client.label = None

    def page(
        self, *, after: int | None = None, before: int | None = None, limit: int = _PAGE_EVENTS
    ) -> Generator[Draft, None, answers.History]:
        """A page, as a `history` request has it. Raises `ReadingFailed`."""
        self._page = None
        yield Request("history", id=self._number, after=after, before=before, limit=limit)
        if self._page is None:
            raise ReadingFailed
        return self._page

    def back(
        self,
        before: int | None,
        wanted: int,
        kinds: frozenset[str],
        *,
        above: int = 0,
        pages: int = _PAGES,
    ) -> Steps:
        """The last `wanted` events of these kinds below `before` (None: of all), and above `above`,
        with the gaps among them. No more than so many `pages` are read.
        """
        found: list[Event | Gap] = []
        for _ in range(pages):
            page = yield from self.page(before=before)
            fresh = [
                event for event in page.events if _is_of(event, kinds) and _last(event) > above
            ]
            found[:0] = fresh
            if len(_places(found)) >= wanted or not (page.more and page.events):
                break
            before = _first(page.events[0])
            if before <= above:
                break
        places = _places(found)
        return found[places[-wanted - 1] + 1 :] if len(places) > wanted else found

    def forth(
        self, after: int, wanted: int, kinds: frozenset[str], *, below: int | None = None
    ) -> Steps:
        """The first `wanted` events of these kinds above `after`, and below `below`."""
        found: list[Event | Gap] = []
        for _ in range(_PAGES):
            page = yield from self.page(after=after)
            found += [
                event
                for event in page.events
                if _is_of(event, kinds) and (below is None or _first(event) < below)
            ]
            if len(_places(found)) >= wanted or not (page.more and page.events):
                break
            after = _last(page.events[-1])
            if below is not None and after >= below:
                break
        places = _places(found)
        return found[: places[wanted]] if len(places) > wanted else found

    def first_since(self, stamp: str, *, later: bool) -> Generator[Draft, None, int]:
        """The number of the first event that has this time, in milliseconds, or a later one; with
        `later` only a later one. Beyond the last one if there is none. Halves what is left again
        and again: numbers and times grow together.
        """
        newest = yield from self.page(limit=1)
        low, high = 0, _last(newest.events[-1]) + 1 if newest.events else 1
        while low + 1 < high:
            middle = (low + high) // 2
            page = yield from self.page(after=middle - 1, limit=1)
            event = next((event for event in page.events if isinstance(event, Event)), None)
            at = "" if event is None else event.time[:23]
            if event is None or at > stamp or (at == stamp and not later):
                high = middle
            else:
                low = event.seq
        return high


def _is_of(event: Event | Gap, kinds: frozenset[str]) -> bool:
    return isinstance(event, Gap) or event.kind in kinds


def _places(events: Sequence[Event | Gap]) -> list[int]:
    """Where there is no gap."""
    return [place for place, event in enumerate(events) if isinstance(event, Event)]


def _first(event: Event | Gap) -> int:
    return event.first if isinstance(event, Gap) else event.seq


def _last(event: Event | Gap) -> int:
    return event.last if isinstance(event, Gap) else event.seq
