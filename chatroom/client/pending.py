"""Requests and their answers: what waits to be sent, what was sent, what is not known.

Synchronous, but for the events and the semaphore that asking tasks wait on.
"""

from __future__ import annotations

from collections.abc import Container
from itertools import chain, count

import trio

from chatroom.client.errors import RoomError, Unconfirmed
from chatroom.client.request import ACKED, STATEMENTS, PendingRequest, shown_nick
from chatroom.event import Event
from chatroom.protocol.jsonlines.parse import BadLine
from chatroom.protocol.jsonlines.write import request_line, utf8_safe

#: A program's requests without an answer, at most: ten times what fills a fast connection to a near
#: server.
OUTSTANDING = 4096

#: One write takes at most this much: what was not taken yet can still be withdrawn.
TAKE_BYTES = 64 * 1024


class PendingRequests:
    """Every request that has no answer yet, in the order in which they were made.

    A request is *queued* until its record is handed to the connection, then *sent*. When a
    connection breaks, a sent question is simply asked again; a sent statement is *unconfirmed*: it
    was heard or not, and `look_up` and `settle` find out which from the events that follow. A
    rename that was heard is *renamed* until this client has the name on its new connection too.
    """

    def __init__(self) -> None:
        self._ids = count(1)
        self._queued: dict[str, PendingRequest] = {}
        self._sent: dict[str, PendingRequest] = {}
        self._unconfirmed: dict[str, PendingRequest] = {}
        self._renamed: list[PendingRequest] = []
        #: One is held by each request of the program, as long as it is here; waiters have their
        #: turn in order.
        self._places = trio.Semaphore(OUTSTANDING, max_value=OUTSTANDING)
        #: The name under which unconfirmed statements were made, after the renames found so far.
        self.unconfirmed_nick = ""
        self._acked = (0, 0)  # the latest statement that the room is known to have, and its seq

    def __len__(self) -> int:
        unsettled = len(self._unconfirmed) + len(self._renamed)
        return len(self._queued) + len(self._sent) + unsettled

    @property
    def queued(self) -> int:
        return len(self._queued)

    @property
    def unconfirmed(self) -> int:
        return len(self._unconfirmed)

    @property
    def unsettled(self) -> bool:
        """Whether a connection that has ended left something to find out or to put right."""
        return bool(self._unconfirmed or self._renamed)

    @property
    def unconfirmed_rename(self) -> str | None:
        """The name that the latest unconfirmed rename asked for, if there is one."""
        names = [str(request.fields["to"]) for request in self._unconfirmed.values()
                 if request.kind == "rename"]  # fmt: skip
        return shown_nick(names[-1]) if names else None

    def statements(self) -> list[PendingRequest]:
        """The statements without an answer, of which somebody may still want to know."""
        unsettled = chain(self._renamed, self._unconfirmed.values())
        everything = chain(unsettled, self._sent.values(), self._queued.values())
        return [request for request in everything if request.kind in STATEMENTS]

    def lowest_unconfirmed(self) -> int | None:
        """The events of all unconfirmed statements have numbers above this; None without any."""
        lowest = min((request.after for request in self._unconfirmed.values()), default=None)
        if lowest is not None and int(next(iter(self._unconfirmed))) > self._acked[0]:
            return max(lowest, self._acked[1])
        return lowest

    # Asking

    async def take_place(self) -> None:
        """Wait until one of `OUTSTANDING` places is free, and take it, for `add`.

        Cancelled, none is taken.
        """
        try:
            self._places.acquire_nowait()
        except trio.WouldBlock:
            await self._places.acquire()

    def take_place_nowait(self) -> None:
        """As `take_place`. Raises `trio.WouldBlock` if none is free."""
        self._places.acquire_nowait()

    def return_place(self) -> None:
        """Give back a place that was taken and not used."""
        self._places.release()

    def add(self, kind: str, fields: dict[str, str | int], *, placed: bool) -> PendingRequest:
        """Queue a request, behind those that wait already. `placed`: it holds a place, which is
        free again when it has left; what a connection asks for its own sake needs none.
        """
        identity = str(next(self._ids))
        safe = {
            key: utf8_safe(value) if isinstance(value, str) else value
            for key, value in fields.items()
        }
        record = request_line(kind, safe, identity)
        request = PendingRequest(identity, kind, safe, record, placed)
        self._queued[identity] = request
        return request

    def withdraw(self, request: PendingRequest) -> bool:
        """Take a request back, as nobody waits for it; False if it may already be on its way."""
        request.abandoned = True
        if self._queued.pop(request.id, None) is not None:
            self._left(request)
            return True
        # An ack is waited for all the same: its event is our own, and will not arrive.
        if request.kind not in ACKED and self._sent.pop(request.id, None) is not None:
            self._left(request)
        return False

    def take(self, after: int) -> bytes:
        """The records to write next, joined; they count as sent. `after`: the newest seq seen."""
        records, size = [], 0
        for request in list(self._queued.values()):
            if size and size + len(request.record) > TAKE_BYTES:
                break
            size += len(request.record)
            request.after = after
            records.append(request.record)
            self._sent[request.id] = self._queued.pop(request.id)
        return b"".join(records)

    def take_only(self, request: PendingRequest) -> bytes:
        """The record of one queued request, before all others."""
        self._sent[request.id] = self._queued.pop(request.id)
        return request.record

    # Answers

    def answered(
        self, identity: str | None, kinds: Container[str] | None = None
    ) -> PendingRequest | None:
        """The request that an answer belongs to, which leaves with this; None if it is unknown.

        `kinds`: what such an answer can answer. Raises `BadLine` if the request is of another kind.
        """
        request = self._sent.get(identity) if identity is not None else None
        if request is None:
            return None
        if kinds is not None and request.kind not in kinds:
            raise BadLine(f"an answer of the wrong kind to {request.kind}")
        del self._sent[request.id]
        self._left(request)
        return request

    def acked(self, identity: str, seq: int) -> PendingRequest | None:
        """As `answered`, for an ack."""
        request = self.answered(identity, ACKED)
        if request is not None and request.kind in STATEMENTS:
            self._acked = max(self._acked, (int(request.id), seq))
        return request

    # Breaks

    def disconnected(self, nick: str) -> None:
        """The connection broke; `nick` was the name on it."""
        sent, self._sent = self._sent, {}
        waiting, self._queued = self._queued, {}
        for request in sent.values():
            if request.kind in STATEMENTS:
                self._unconfirmed[request.id] = request
                self.unconfirmed_nick = self.unconfirmed_nick or nick
            elif request.abandoned:
                self._left(request)
            else:
                self._queued[request.id] = request
        self._queued |= waiting

    def forget_numbers(self) -> None:
        """The server has begun another log: numbers from before mean nothing in it."""
        self._acked = (self._acked[0], 0)

    def look_up(self, event: Event) -> bool:
        """Whether an event, seen after a reconnect in the order of its number, is what became of an
        unconfirmed statement; its asker then has its answer, or, for a rename, waits for
        `name_taken`.

        The room took our statements in their order, so the first that fits is the one.
        """
        known_id, known_seq = self._acked
        for request in self._unconfirmed.values():
            if int(request.id) > known_id and event.seq <= known_seq:
                return False  # the same text may have been said before, and have its ack
            if request.may_have_made(event, self.unconfirmed_nick):
                del self._unconfirmed[request.id]
                self._acked = max(self._acked, (int(request.id), event.seq))
                request.answer = event.seq
                if request.kind == "rename":
                    self.unconfirmed_nick = event.to
                    self._renamed.append(request)
                else:
                    self._left(request)
                    request.answered.set()
                return True
        return False

    def settle(self, *, heard: bool | None) -> str | None:
        """Say what became of the statements that are still unconfirmed.

        `heard=False`: the room surely has none of them, so they are queued again, first in the
        line. `heard=None`: nobody can know, so each fails with `Unconfirmed`.

        Returns the name that the room knew us by in the end, if one of our renames was found.
        """
        waiting, self._queued = self._queued, {}
        for request in self._unconfirmed.values():
            if heard is False and not request.abandoned:
                self._queued[request.id] = request
            else:
                self._left(request)
                request.fail(Unconfirmed("the connection broke: not known whether this was said"))
        self._queued |= waiting
        self._unconfirmed.clear()
        if self._renamed:
            return self.unconfirmed_nick
        self.unconfirmed_nick = ""
        return None

    def name_taken(self, error: RoomError | None) -> None:
        """The name of the renames that `look_up` found is ours on this connection too; or it can't
        be had any more, for the reason of `error`.
        """
        renamed, self._renamed = self._renamed, []
        self.unconfirmed_nick = ""
        for request in renamed:
            self._left(request)
            if error is not None and request is renamed[-1]:
                request.fail(error)
            else:
                request.answered.set()

    def fail_all(self, error: RoomError) -> None:
        """The end: nothing will be sent or answered any more."""
        self.disconnected("")
        self.settle(heard=None)
        self.name_taken(error)
        queued, self._queued = self._queued, {}
        for request in queued.values():
            self._left(request)
            request.fail(error)

    def _left(self, request: PendingRequest) -> None:
        if request.placed:
            self._places.release()
