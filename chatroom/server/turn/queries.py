"""Answers that can be long, or wait for the disk: who is here, history, search."""

from __future__ import annotations

from itertools import accumulate, takewhile
from typing import TYPE_CHECKING

import trio

from chatroom.journal import HistoryUnavailableError
from chatroom.protocol import answers
from chatroom.protocol.people import Person
from chatroom.protocol.requests import Hello, Request
from chatroom.settings import MAX_PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from chatroom.event import Event, Gap
    from chatroom.journal import Page
    from chatroom.protocol.requests import Draft
    from chatroom.room.members import Member
    from chatroom.server.connection import Connection
    from chatroom.server.turn.answering import Answering
    from chatroom.server.turn.hall import Hall
    from chatroom.server.turn.replay import Replay


class Queries:
    """What clients ask, answered one at a time and each within a bound."""

    def __init__(
        self,
        hall: Hall,
        replay: Replay,
        answering: Answering,
        server_of: Callable[[int], str] | None = None,
    ) -> None:
        """`server_of`: the name of a member's server, where there are several."""
        self._room = hall.room
        self._journal = hall.journal
        self._announcer = hall.announcer
        self._presence = hall.presence
        self._replay = replay
        self._answering = answering
        self._server_of = server_of

    def who(self, connection: Connection, request: Request) -> None:
        """Answer in this turn: a page of nicks."""
        limit = MAX_PAGE if request.limit is None else min(request.limit, MAX_PAGE)
        nicks = self._room.nicks(request.offset, limit)
        count = len(self._room)
        while True:
            more = request.offset + len(nicks) < count
            servers = self._servers(request.offset, len(nicks))
            answer = answers.Members(nicks, count, more, request.id, servers)
            record = connection.render(answer)
            if len(nicks) <= 1 or len(record) <= self._answering.limit_bytes:
                self._announcer.send(connection, record)
                return
            nicks = nicks[: len(nicks) // 2]

    def _servers(self, offset: int, limit: int) -> Sequence[str] | None:
        if self._server_of is None:
            return None
        return [self._server_of(member.who) for member in self._room.members(offset, limit)]

    def people(self, connection: Connection, request: Request) -> None:
        """Answer in this turn: those who are named in the text, member or not, or a page of the
        members.
        """
        people = self._named(request.text.split()) if request.text else self._members(request)
        count = len(self._room)
        more = not request.text and request.offset + len(people) < count
        found = answers.Found(people, count, self._room.names_held, more, request.id)
        self._announcer.tell(connection, found)

    def _named(self, nicks: Sequence[str]) -> Sequence[Person]:
        found = [self._room.find(nick) for nick in nicks]
        return [self._person(*who) for who in found if who is not None]

    def _members(self, request: Request) -> Sequence[Person]:
        limit = MAX_PAGE if request.limit is None else min(request.limit, MAX_PAGE)
        return [self._person(member, True) for member in self._room.members(request.offset, limit)]

    def _person(self, member: Member, inside: bool) -> Person:
        return Person(member.nick, self._presence.people.card(member.nick), inside)

    async def answer(self, connection: Connection, query: Draft) -> None:
        """What is left to answer of a query after its turn, because it may wait for the disk. A
        client that has gone meanwhile gets nothing. Cancelled, it has no answer.
        """
        if type(query) is Hello:
            await self._replay.catch_up(connection)
        elif not connection.inside:
            pass  # it has been told to log in, or has gone
        elif type(query) is Request and query.kind in ("history", "search"):
            async with self._answering.at_once:
                await self._answer(connection, query)

    def answer_nowait(self, connection: Connection, query: Draft) -> bool:
        """As `answer`, of what comes with coming in: a name, people, history. False: it is not
        answered, because that would wait for the disk.
        """
        if not connection.inside or type(query) is not Request or query.kind != "history":
            return True  # in its turn
        page = self._journal.before_nowait(*self._place(query)) if query.after is None else None
        if page is None:
            return False
        *_, record = self._making(connection, query, page)
        self._announcer.send(connection, bytes(record))
        return True

    async def _answer(self, connection: Connection, query: Request) -> None:
        try:
            page = await self._page(query)
        except HistoryUnavailableError as error:
            answer = answers.Error("history_unavailable", str(error), query.id)
            self._announcer.tell(connection, answer)
        else:
            async with self._answering.rendering:
                for record in self._making(connection, query, page):  # noqa: B007 - the last
                    await trio.lowlevel.checkpoint()
            self._announcer.send(connection, bytes(record))

    async def _page(self, query: Request) -> Page:
        before, limit = self._place(query)
        if query.after is not None and query.kind == "history":
            return await self._journal.after(query.after, limit)
        if query.kind == "search":
            return await self._journal.search(query.text, before, limit)
        return await self._journal.before(before, limit)

    def _place(self, query: Request) -> tuple[int, int]:
        """Below which number it asks, and for how many at most."""
        limit = MAX_PAGE if query.limit is None else min(query.limit, MAX_PAGE)
        return self._room.seq + 1 if query.before is None else query.before, limit

    def _making(self, connection: Connection, query: Request, page: Page) -> Iterator[bytearray]:
        """The answer as bytes, growing: the last one is whole. It has fewer events than were asked
        for if that is too long: the first ones where it goes forward, the last ones where it goes
        back.
        """
        limit_bytes = self._answering.limit_bytes
        forward = query.after is not None and query.kind == "history"
        events, more = page.events, page.more
        fitting = _fitting(events if forward else reversed(events), limit_bytes)
        while True:
            if fitting < len(events):
                events, more = (events[:fitting] if forward else events[-fitting:]), True
            record = bytearray()
            for piece in connection.pieces(answers.History(events, more, query.id)):
                record += piece
                yield record
            if len(events) <= 1 or len(record) <= limit_bytes:
                return
            # As many as fit if all are equally long, less a little; again, if they are not.
            fitting = max(1, len(events) * limit_bytes * 15 // 16 // len(record))


def _fitting(events: Iterable[Event | Gap], limit_bytes: int) -> int:
    """How many of these, at least one, are not too long by their texts alone."""
    sizes = accumulate(len(event.text or "") for event in events)
    return max(1, sum(1 for _ in takewhile(limit_bytes.__ge__, sizes)))
