"""Requests and their answers: what waits to be sent, what was sent, what is not known.

Synchronous; the only thing of Trio's here is the event that an asking task waits on.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from itertools import chain, count

import msgspec
import trio

from chatroom.client.errors import RoomError, Unconfirmed
from chatroom.client.lines import Answer, BadLine
from chatroom.event import Event
from chatroom.room.text import make_safe

#: Requests that become events, so that asking them twice would be heard twice.
STATEMENTS = frozenset({"message", "action", "rename"})

#: One write takes at most this much: what was not taken yet can still be withdrawn.
TAKE_BYTES = 64 * 1024

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, eq=False)
class Request:
    """One request. It is answered once, with an answer of the server or an error."""

    id: str
    kind: str
    fields: dict[str, str | int]
    record: bytes
    after: int = 0  #: its event, if it becomes one, has a number above this
    answer: Answer | int | None = None  #: an int is the `seq` of its event
    error: RoomError | None = None
    answered: trio.Event = field(default_factory=trio.Event)
    abandoned: bool = False  #: nobody waits for it any more: it is not sent a second time

    def resolve(self, answer: Answer | int) -> None:
        self.answer = answer
        self.answered.set()

    def fail(self, error: RoomError) -> None:
        self.error = error
        self.answered.set()

    def may_have_made(self, event: Event, nick: str) -> bool:
        """Whether `event` may be what this request became, `nick` being who asked."""
        if event.kind != self.kind or event.nick != nick or event.seq <= self.after:
            return False
        if self.kind == "rename":
            return event.to == self.fields["to"]
        return event.text == make_safe(str(self.fields["text"]))


class Ledger:
    """Every request that has no answer yet, in the order in which they were made.

    A request is *queued* until its record is handed to the socket, then *sent*. When a connection
    breaks, a sent question is simply asked again; a sent statement is *unconfirmed*: it was heard
    or not, and `look_up` and `settle` find out which from the events that follow.
    """

    def __init__(self) -> None:
        self._ids = count(1)
        self._queued: dict[str, Request] = {}
        self._sent: dict[str, Request] = {}
        self._unconfirmed: dict[str, Request] = {}
        self.queued_bytes = 0
        self.unconfirmed_nick = ""
        self._acked = (0, 0)  # the latest statement that the room is known to have, and its seq

    def __len__(self) -> int:
        return len(self._queued) + len(self._sent) + len(self._unconfirmed)

    @property
    def queued(self) -> int:
        return len(self._queued)

    @property
    def unconfirmed(self) -> int:
        return len(self._unconfirmed)

    def statements(self) -> list[Request]:
        """The statements without an answer, of which somebody may still want to know."""
        everything = chain(self._unconfirmed.values(), self._sent.values(), self._queued.values())
        return [request for request in everything if request.kind in STATEMENTS]

    def lowest_unconfirmed(self) -> int | None:
        """The events of all unconfirmed statements have numbers above this; None without any."""
        lowest = min((request.after for request in self._unconfirmed.values()), default=None)
        if lowest is not None and int(next(iter(self._unconfirmed))) > self._acked[0]:
            return max(lowest, self._acked[1])
        return lowest

    def add(self, kind: str, **fields: str | int) -> Request:
        """Queue a request, behind those that wait already."""
        identity = str(next(self._ids))
        # A lone surrogate (from undecodable input) has no UTF-8; it arrives as a question mark.
        safe = {
            key: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
            for key, value in fields.items()
        }
        record = _encode({"kind": kind, **safe, "id": identity}) + b"\n"
        request = Request(identity, kind, safe, record)
        self._queue(request)
        return request

    def withdraw(self, request: Request) -> bool:
        """Take a request back, as nobody waits for it; False if it may already be on its way."""
        request.abandoned = True
        if self._queued.pop(request.id, None) is None:
            if request.kind not in STATEMENTS:
                self._sent.pop(request.id, None)
            return False
        self.queued_bytes -= len(request.record)
        return True

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
        self.queued_bytes -= size
        return b"".join(records)

    def take_only(self, request: Request) -> bytes:
        """The record of one queued request, before all others."""
        self._sent[request.id] = self._queued.pop(request.id)
        self.queued_bytes -= len(request.record)
        return request.record

    def answered(self, identity: str | None, kinds: Container[str] | None = None) -> Request | None:
        """The request that an answer belongs to, taken out of the ledger; None if it is unknown.

        `kinds`: what such an answer can answer. Raises `BadLine` if the request is of another kind.
        """
        request = self._sent.get(identity) if identity is not None else None
        if request is None:
            return None
        if kinds is not None and request.kind not in kinds:
            raise BadLine(f"an answer of the wrong kind to {request.kind}")
        return self._sent.pop(request.id)

    def acked(self, identity: str, seq: int) -> Request | None:
        """As `answered`, for an ack."""
        request = self.answered(identity, STATEMENTS)
        if request is not None:
            self._acked = max(self._acked, (int(request.id), seq))
        return request

    def disconnected(self, nick: str) -> None:
        """The connection broke; `nick` was the name on it."""
        sent, self._sent = self._sent, {}
        waiting, self._queued, self.queued_bytes = self._queued, {}, 0
        for request in sent.values():
            if request.kind in STATEMENTS:
                self._unconfirmed[request.id] = request
                self.unconfirmed_nick = self.unconfirmed_nick or nick
        questions = (request for request in sent.values() if request.kind not in STATEMENTS)
        for request in chain(questions, waiting.values()):
            self._queue(request)

    def forget_numbers(self) -> None:
        """The server has begun another log: numbers from before mean nothing in it."""
        self._acked = (self._acked[0], 0)

    def look_up(self, event: Event) -> bool:
        """Whether an event, seen after a reconnect in the order of its number, is what became of an
        unconfirmed statement; its asker then has its answer.

        The room took our statements in their order, so the first that fits is the one.
        """
        known_id, known_seq = self._acked
        for request in self._unconfirmed.values():
            if int(request.id) > known_id and event.seq <= known_seq:
                return False  # the same text may have been said before, and have its ack
            if request.may_have_made(event, self.unconfirmed_nick):
                del self._unconfirmed[request.id]
                self._acked = max(self._acked, (int(request.id), event.seq))
                if request.kind == "rename":
                    self.unconfirmed_nick = event.to
                request.resolve(event.seq)
                return True
        return False

    def settle(self, *, heard: bool | None) -> None:
        """Say what became of the statements that are still unconfirmed.

        `heard=False`: the room surely has none of them, so they are queued again, first in the
        line. `heard=None`: nobody can know, so each fails with `Unconfirmed`.
        """
        waiting, self._queued, self.queued_bytes = self._queued, {}, 0
        for request in self._unconfirmed.values():
            if heard is False and not request.abandoned:
                self._queue(request)
            else:
                request.fail(Unconfirmed("the connection broke: not known whether this was said"))
        for request in waiting.values():
            self._queue(request)
        self._unconfirmed.clear()
        self.unconfirmed_nick = ""

    def fail_all(self, error: RoomError) -> None:
        """The end: nothing will be sent or answered any more."""
        self.disconnected("")
        self.settle(heard=None)
        for request in self._queued.values():
            request.fail(error)
        self._queued.clear()
        self.queued_bytes = 0

    def _queue(self, request: Request) -> None:
        self._queued[request.id] = request
        self.queued_bytes += len(request.record)
