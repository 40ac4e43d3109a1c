"""How far somebody has read, as their clients tell each other (IRCv3, read-marker)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatroom.protocol import answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatroom.protocol.requests import Request
    from chatroom.server.connection import Connection
    from chatroom.server.turn.hall import Hall

#: Of one person: there is one room, but clients may mark what else they show.
MOST_TARGETS = 32


class Marks:
    """Of an account, for all its connections, as long as the server runs; of others, for their
    visit. Synchronous, in a turn.
    """

    def __init__(self, hall: Hall) -> None:
        self._room = hall.room
        self._announcer = hall.announcer
        self._of_accounts: dict[str, dict[str, str]] = {}
        self._readers: dict[str, set[Connection]] = {}  # by account
        self.requests: dict[str, Callable[[Connection, Request], None]] = {"mark": self._mark}

    def _mark(self, connection: Connection, request: Request) -> None:
        """`to`: what has been read; `text`: up to when, or empty to ask. It only ever grows."""
        account = self._room.account(connection.who)
        marks = self._marks(connection, account)
        target = request.to.lower()
        before = marks.get(target, "")
        if request.text > before:
            if target not in marks and len(marks) >= MOST_TARGETS:
                del marks[next(iter(marks))]
            marks[target] = request.text
        stamp = marks.get(target, "")
        self._announcer.tell(connection, answers.Marked(request.to, stamp, request.id))
        if account is not None and stamp != before:
            self._tell_others(connection, account, answers.Marked(request.to, stamp))

    def _marks(self, connection: Connection, account: str | None) -> dict[str, str]:
        if account is None:
            if connection.marks is None:
                connection.marks = {}
            return connection.marks
        self._readers.setdefault(account, set()).add(connection)
        return self._of_accounts.setdefault(account, {})

    def _tell_others(self, connection: Connection, account: str, marked: answers.Marked) -> None:
        readers = {other for other in self._readers[account] if other.close_reason is None}
        self._readers[account] = readers
        for other in readers - {connection}:
            self._announcer.tell(other, marked)
