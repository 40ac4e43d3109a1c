"""What the administrator of the machine asks a running server for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from chatroom.errors import ChatroomError
from chatroom.protocol import answers
from chatroom.protocol.checking import checked
from chatroom.protocol.requests import OPERATOR_KINDS, Request
from chatroom.room.commands import Outcome
from chatroom.room.refused import Refused
from chatroom.server.turn.operators import done_text

if TYPE_CHECKING:
    from chatroom.room.room import Room
    from chatroom.room.text import TextRules
    from chatroom.server.connection import Connection
    from chatroom.server.parts import Parts

#: So many of the slowest readers and the busiest talkers are named.
NAMED = 5

#: The busiest are those who say most within this.
LOOK_SECONDS = 0.5

#: What one answer lists at most.
_MOST_BANS = 1000

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Request).decode


@dataclass(frozen=True, slots=True)
class Reach:
    """What the administrator can reach of the server's life."""

    status: Callable[[], Mapping[str, Any]]  #: plain figures
    drain: Callable[[], None]
    reload: Callable[[], Any]  #: an async function; raises `ChatroomError`


class Administration:
    """Answers one line of JSON with one: what is done, or an error with a code and a text."""

    def __init__(self, room: Room, parts: Parts, rules: TextRules, reach: Reach) -> None:
        self._room = room
        self._parts = parts
        self._rules = rules
        self._reach = reach

    async def answer(self, line: bytes) -> bytes:
        """The answer, with its LF. Never raises for what is asked. Cancelled, it may have been done
        all the same.
        """
        try:
            answer = await self._answer(_decode(line))
        except msgspec.MsgspecError as error:
            answer = answers.Error("bad_json", str(error))
        except Refused as refused:
            answer = answers.Error(refused.code, refused.text)
        except ChatroomError as error:
            answer = answers.Error("unavailable", str(error))
        return _encode(answer) + b"\n"

    async def _answer(self, asked: Request) -> object:
        if asked.kind == "status":
            return await self._status()
        if asked.kind == "drain":
            self._reach.drain()
            return answers.Done("the server ends in good order")
        if asked.kind == "reload":
            await self._reach.reload()
            return answers.Done("accounts, secret and certificate are read anew")
        if asked.kind == "bans":
            return self._bans()
        if asked.kind != "topic" and asked.kind not in OPERATOR_KINDS:
            raise Refused("unknown_kind", f"there is no request {asked.kind}")
        request = checked(asked, self._rules)
        outcome = await self._administer(request)
        if outcome.refused is not None:
            raise outcome.refused
        return answers.Done(done_text(request, outcome))

    async def _administer(self, request: Request) -> Outcome:
        done = trio.Event()
        outcome = Outcome()

        def then(came: Outcome) -> None:
            nonlocal outcome
            outcome = came
            done.set()

        self._parts.dispatcher.administer(request, then)
        await done.wait()
        return outcome

    def _bans(self) -> answers.Bans:
        bans = [
            answers.Banned(ban.mask, ban.by, ban.time, ban.until, ban.text)
            for ban in self._room.bans(None, self._parts.dispatcher.now)
        ]
        return answers.Bans(bans[:_MOST_BANS], len(bans) > _MOST_BANS)

    async def _status(self) -> dict[str, Any]:
        before = {connection: connection.received_bytes for connection in self._parts.connections}
        await trio.sleep(LOOK_SECONDS)
        connections = self._parts.connections
        said = {
            connection: (connection.received_bytes - before.get(connection, 0)) / LOOK_SECONDS
            for connection in connections
        }
        waiting = {connection: connection.outbox.size_bytes for connection in connections}
        return {
            "kind": "status",
            **self._reach.status(),
            "slowest": self._named(waiting, "waiting_bytes"),
            "busiest": self._named(said, "bytes_per_second"),
        }

    def _named(self, figures: Mapping[Connection, float], unit: str) -> list[dict[str, Any]]:
        return [
            {
                "connection": connection.id,
                "nick": self._room.nick(connection.who) if connection.inside else None,
                "peer": connection.peer,
                unit: round(figure),
            }
            for connection, figure in _largest(figures.items())
        ]


def _largest(figures: Iterable[tuple[Connection, float]]) -> list[tuple[Connection, float]]:
    some = [(connection, figure) for connection, figure in figures if figure]
    return sorted(some, key=lambda item: item[1], reverse=True)[:NAMED]
