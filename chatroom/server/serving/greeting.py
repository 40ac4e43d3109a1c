"""Newcomers are let in without a task, when they have said how they come in or have been silent for
as long as that is waited for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from chatroom.event import CloseReason
from chatroom.protocol.requests import Answered, Ending, Enter, Hello, Reply, Request, Speaks
from chatroom.server.serving.conversation import Intake, Speaker, next_drafts

if TYPE_CHECKING:
    from chatroom.protocol.requests import Draft
    from chatroom.protocol.session import Session, Wait

log = logging.getLogger("chatroom.server")


class Caller(Speaker, Protocol):
    """A newcomer's line, which no task serves."""

    def receive_nowait(self) -> bytes | None:
        """See `chatroom.server.serving.conversation.Line`."""

    def settle(self, *, quiet: bool) -> None:
        """The greeting is over: wait for what comes next without a task if all is said and done
        (`quiet`), else have it served. Never raises.
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

    def hear(self, caller: Caller) -> bool | None:
        """Deal with what a newcomer has said, in the turns that come; then it is settled. None: it
        has said nothing so far; False: nor will it, and it is to be served. Raises OSError.
        """
        chunk = caller.receive_nowait()
        if not chunk:
            return None if chunk is None else False
        caller.connection.received_bytes += len(chunk)
        self._carefully(caller, lambda: self._begin(caller, chunk))
        return True

    def expire(self, caller: Caller) -> None:
        """Deal with a newcomer's silence, in the turns that come; then it is settled."""
        self._carefully(caller, lambda: self._pass_over(caller))

    def _carefully(self, caller: Caller, step: Callable[[], bool]) -> None:
        """Take a step, which says whether another one is to come. An exception is a fault of ours,
        and ends this connection alone.
        """
        try:
            if step():
                return
        except Exception:
            self._end(caller)
        session = caller.session
        caller.settle(quiet=not session.pending and session.wait is None)

    def _end(self, caller: Caller) -> None:
        try:
            log.exception("connection %d: fault in the server", caller.connection.id)
            ending = Ending(CloseReason.PROTOCOL_ERROR, "a fault in the server")
            caller.session = Begun([ending], caller.session)
        except MemoryError:
            caller.connection.outbox.break_off()  # it is at its end, and will be found there

    def _begin(self, caller: Caller, chunk: bytes) -> bool:
        caller.session.feed(chunk)
        return self._submit(caller)

    def _pass_over(self, caller: Caller) -> bool:
        caller.session.expire()
        return self._submit(caller)

    def _go_on(self, caller: Caller, query: Draft) -> bool:
        """The turn has dealt with the drafts up to `query`."""
        if not self._intake.answer_nowait(caller.connection, query):
            caller.session = Begun([query], caller.session)  # the turn does nothing with it
            return False
        return self._submit(caller)

    def _submit(self, caller: Caller) -> bool:
        """Hand the next drafts over; False: there are none, or they may have to wait."""
        drafts = next_drafts(caller)
        if not drafts:
            return False
        if self._take(caller, drafts):
            return True
        caller.session = Begun(drafts, caller.session)
        return False

    def _take(self, caller: Caller, drafts: Sequence[Draft]) -> bool:
        if not all(map(_is_of_coming_in, drafts)):
            return False
        step = partial(self._go_on, caller, drafts[-1])
        done = partial(self._carefully, caller, step)
        return self._intake.take_nowait(caller.connection, drafts, done)


def _is_of_coming_in(draft: Draft) -> bool:
    """Whether its turn answers it, and at the most a page of history is missing then."""
    if type(draft) is Hello:
        return draft.after is None and draft.credentials is None
    if type(draft) is Request:
        return draft.kind in _LOOKS
    return type(draft) in _ENTERING


_ENTERING = frozenset({Speaks, Enter, Reply, Answered})
_LOOKS = frozenset({"people", "history"})
