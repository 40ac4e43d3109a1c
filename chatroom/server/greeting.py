"""Newcomers who have said how they come in before they were accepted are let in without a task.

In a crowd that is nearly everybody, and a task is a fifth of what a newcomer costs: itself, its
cancel scope, and two turns of Trio's loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from chatroom.event import CloseReason
from chatroom.protocol.opening import Opening
from chatroom.protocol.requests import Ending, Enter, Hello, Reply, Request, Speaks
from chatroom.protocol.ways import WAYS

if TYPE_CHECKING:
    from chatroom.protocol.requests import Draft
    from chatroom.protocol.session import Session, Visit, Wait
    from chatroom.server.connection import Connection
    from chatroom.server.conversation import Intake

log = logging.getLogger("chatroom.server")


class Caller(Protocol):
    """A newcomer's line, which no task serves."""

    connection: Connection
    session: Session

    def receive_nowait(self) -> bytes | None:
        """See `chatroom.server.conversation.Line`."""

    def settle(self, *, quiet: bool) -> None:
        """The greeting is over: wait for what comes next without a task if all is said and done
        (`quiet`), else have it served.
        """


class Begun:
    """A session of which drafts have been taken that are not dealt with; see
    `chatroom.protocol.session.Session`. It gives them, and then the session itself.
    """

    __slots__ = ("_drafts", "successor")

    wait: Wait | None = None
    pending = True

    def __init__(self, drafts: Sequence[Draft], session: Session) -> None:
        self._drafts = drafts
        self.successor: Session | None = session

    def feed(self, chunk: bytes) -> None:
        assert self.successor is not None
        self.successor.feed(chunk)

    def expire(self) -> None:
        """There is nothing that it waits for."""

    def drafts(self) -> Sequence[Draft]:
        drafts, self._drafts = self._drafts, ()
        return drafts


class Greeter:
    """Greets newcomers. Synchronous: it works in the accepting task, and between the turns."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def greet(self, caller: Caller, visit: Visit) -> bool:
        """Deal with what a newcomer has said already, in the turns that come; then it is settled.
        False: it has said nothing, and is to be served. Raises OSError.
        """
        chunk = caller.receive_nowait()
        if not chunk:
            return False
        caller.session = Opening(visit, WAYS)
        caller.connection.received_bytes += len(chunk)
        self._go_on(caller, chunk)
        return True

    def _go_on(self, caller: Caller, chunk: bytes = b"") -> None:
        """As `converse`, without ever waiting; `chunk`: what was read first. An exception is a
        fault of ours, and ends this connection alone.
        """
        session = caller.session
        try:
            if chunk:
                session.feed(chunk)
            if self._submit(caller):
                return
        except Exception:
            log.exception("connection %d: fault in the server", caller.connection.id)
            ending = Ending(CloseReason.PROTOCOL_ERROR, "a fault in the server")
            caller.session = Begun([ending], session)
        session = caller.session
        caller.settle(quiet=not session.pending and session.wait is None)

    def _submit(self, caller: Caller) -> bool:
        """Hand the next drafts over; False: there are none, or they may have to wait."""
        session = caller.session
        while session.pending and caller.connection.close_reason is None:
            drafts = session.drafts()
            if drafts:
                if self._take(caller, drafts):
                    return True
                caller.session = Begun(drafts, session)
                return False
            if session.successor is not None:
                session = caller.session = session.successor
        return False

    def _take(self, caller: Caller, drafts: Sequence[Draft]) -> bool:
        go_on: Callable[[], None] = partial(self._go_on, caller)
        return all(map(_is_of_coming_in, drafts)) and self._intake.take_nowait(
            caller.connection, drafts, go_on
        )


def _is_of_coming_in(draft: Draft) -> bool:
    """Whether nothing but the turn is needed to deal with it."""
    if type(draft) is Hello:
        return draft.after is None and draft.credentials is None
    if type(draft) is Request:
        return draft.kind == "people"
    return type(draft) in _ENTERING


_ENTERING = frozenset({Speaks, Enter, Reply})
